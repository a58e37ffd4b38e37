import type { CheckPorts } from '../check/plan-checks.ts'
import { PosthornError } from '../errors.ts'
import type { AccountConnections } from '../mail/account-connections.ts'
import type { CliContext, CliPorts } from './context.ts'
import { connectKafka } from './kafka-clients.ts'

/** A person is waiting: one more try than a network needs that is well. */
const storageAttempts = 2

const missing = (what: string): PosthornError =>
  new PosthornError('INTERNAL', `${what} is not configured`, { stage: 'configure' })

/** Opened by the first account. */
const openConnections = (context: CliContext): (() => Promise<AccountConnections>) => {
  let opened: Promise<AccountConnections> | null = null
  const open = async (): Promise<AccountConnections> => {
    const [{ OAuthTokens }, { createAccountConnections }] = await Promise.all([
      import('../oauth/oauth-tokens.ts'),
      import('../mail/account-connections.ts'),
    ])
    const tokens = new OAuthTokens(context.oauthOptions())
    context.onClose(() => tokens.close())
    return createAccountConnections(tokens.of)
  }
  return () => (opened ??= open())
}

const createCheckPorts = (context: CliContext): CheckPorts => {
  const connections = openConnections(context)
  return {
    kafka: { connectAdmin: () => context.kafka().admin() },
    registry: {
      countSubjects: () => context.registry().countSubjects(),
      inspect: (subject, schema) => context.registry().inspect(subject, schema),
      schema: (record) => context.schemas().schema(record),
    },
    storage: {
      probe: async () => {
        const { storage } = context.config()
        if (storage === null) throw missing('storage')
        const { createS3AttachmentStore } = await import('../mail/s3-attachment-store.ts')
        const store = createS3AttachmentStore(storage, { attempts: storageAttempts })
        try {
          await store.check()
        } finally {
          store.close()
        }
      },
    },
    verifySmtp: async (account, signal) => {
      const { name, smtp } = account
      if (smtp === null) throw missing(`accounts.${name}.smtp`)
      const { verifySmtp } = await import('../mail/smtp/verify.ts')
      return verifySmtp(smtp, { signal, accessTokens: (await connections()).accessTokens(account, smtp.auth) })
    },
    connectMailbox: async (account) => (await connections()).openMailbox(account),
    now: context.io.now,
  }
}

/** The mail edges and their libraries are loaded by the commands that use them: the others start much faster. */
export const realPorts: CliPorts = {
  connectKafka,
  createCheckPorts,
  startPosthorn: async (config, options) => (await import('../main.ts')).startPosthorn(config, options),
}
