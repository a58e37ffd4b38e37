import type { AccountConfig, ImapConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import type { Check } from './check-result.ts'
import { takeNetworkSteps } from './check-mail-server.ts'

export type CheckedMailbox = Pick<Mailbox, 'capabilities' | 'listFolders' | 'open' | 'close'>

export interface ImapCheckPorts {
  connect: () => Promise<CheckedMailbox>
  /** Milliseconds since the epoch. */
  now: () => number
}

/** What a session can do better, or only, where the server has them. */
const capabilitiesThatMatter = ['IDLE', 'MOVE', 'UIDPLUS', 'CONDSTORE', 'SPECIAL-USE', 'OBJECTID']

const describeCapabilities = (capabilities: ReadonlySet<string>): string => {
  const has = capabilitiesThatMatter.filter((name) => capabilities.has(name))
  const lacks = capabilitiesThatMatter.filter((name) => !capabilities.has(name))
  return `the server has ${has.join(', ') || 'none of the extensions'}${lacks.length === 0 ? '' : `, not ${lacks.join(', ')}`}`
}

/** INBOX is one name in any case (RFC 9051 5.1). */
const isSameFolder = (left: string, right: string): boolean =>
  left === right || (left.toUpperCase() === 'INBOX' && right.toUpperCase() === 'INBOX')

const checkFolders = async (mailbox: CheckedMailbox, { receive, archiveFolder, sentFolder }: AccountConfig) => {
  const listed = await mailbox.listFolders()
  const isThere = (folder: string): boolean => listed.some(({ path }) => isSameFolder(path, folder))
  const wanted = receive.map(({ folder }) => folder)
  const missing = wanted.filter((folder) => !isThere(folder))
  if (missing.length > 0) {
    throw new PosthornError('IMAP_FOLDER_MISSING', `the account has no folder ${missing.join(', ')}`, {
      stage: 'select',
      action: `Create it, or correct the folder under receive; there are ${listed.map(({ path }) => path).join(', ')}.`,
    })
  }
  for (const folder of wanted) await mailbox.open(folder, { readOnly: true })
  const targets = [
    ...receive.flatMap(({ after }) => (after.action === 'move' ? [after.folder] : [])),
    ...(archiveFolder === null ? [] : [archiveFolder]),
    ...(sentFolder === null ? [] : [sentFolder]),
  ]
  return { count: listed.length, wanted, toCreate: [...new Set(targets)].filter((folder) => !isThere(folder)) }
}

export const checkImap = (account: AccountConfig, imap: ImapConfig, { connect, now }: ImapCheckPorts): Check => ({
  component: 'imap',
  account: account.name,
  run: async (takeStep) => {
    await takeNetworkSteps(imap, 'imap', takeStep, now)
    let mailbox: CheckedMailbox | null = null
    try {
      mailbox = await takeStep('login', connect, ({ capabilities }) => {
        const who = imap.auth === null ? 'no login is configured' : `logged in as ${imap.auth.user}`
        return `${who}; ${describeCapabilities(capabilities)}`
      })
      const open = mailbox
      await takeStep(
        'folders',
        () => checkFolders(open, account),
        ({ count, wanted, toCreate }) => {
          const opened = wanted.length === 0 ? '' : `, ${wanted.join(', ')} can be opened`
          return `${count} folders${opened}${toCreate.length === 0 ? '' : `; ${toCreate.join(', ')} will be created`}`
        },
      )
    } finally {
      await mailbox?.close()
    }
  },
})
