/** What a running worker takes over from a configuration that was read again. */
import type { Accounts } from './accounts.ts'
import type { Config } from './config/config.ts'
import { anyPersonLogin } from './config/person-logins.ts'
import { sameSettings } from './config/same-settings.ts'
import { PosthornError } from './errors.ts'
import { requireEncryptionKey } from './oauth/oauth-tokens.ts'

export interface ConfigChanges {
  added: string[]
  changed: string[]
  removed: string[]
  /** Sections that are different and count only after a restart. */
  restartNeeded: string[]
}

export interface ReloadDependencies {
  /** What the worker was started with. */
  running: Config
  accounts: Accounts
  /** Makes the topics that the accounts need and that are not there yet. */
  ensureTopics: (accounts: Config['accounts']) => Promise<void>
}

const fixedSections = ['kafka', 'avro', 'storage', 'send', 'limits', 'http', 'oauth'] as const

/** @throws PosthornError why it can't be taken over; then everything goes on as before */
export const reloadConfig = async (
  next: Config,
  { running, accounts, ensureTopics }: ReloadDependencies,
): Promise<ConfigChanges> => {
  if (running.storage === null && Object.values(next.accounts).some(({ receive }) => receive.length > 0)) {
    throw new PosthornError(
      'CONFIG_INVALID',
      'storage: the worker was started without it, and an account receives now',
      {
        stage: 'configure',
        action: 'Restart the worker.',
      },
    )
  }
  if (anyPersonLogin(next.accounts)) requireEncryptionKey(running.oauth)
  await ensureTopics(next.accounts)
  const changes = accounts.replace(next.accounts)
  const names = (isMeant: (change: (typeof changes)[number]) => boolean): string[] =>
    changes.filter(isMeant).map(({ name }) => name)
  return {
    added: names(({ before }) => before === null),
    changed: names(({ before, after }) => before !== null && after !== null),
    removed: names(({ after }) => after === null),
    restartNeeded: fixedSections.filter((section) => !sameSettings(running[section], next[section])),
  }
}
