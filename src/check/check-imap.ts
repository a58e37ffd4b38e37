import type { AccountConfig, ImapConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { ConnectedMailbox } from '../mail/mailbox.ts'
import type { Check } from './check-result.ts'
import { takeNetworkSteps } from './check-network.ts'

export type CheckedMailbox = Pick<ConnectedMailbox, 'loginWay' | 'capabilities' | 'listFolders' | 'open' | 'close'>

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

type Folders = Awaited<ReturnType<CheckedMailbox['listFolders']>>

/** Where archived or sent mail goes, as the flows find it: the configured folder, else the one with the SPECIAL-USE. */
const describeTarget = (what: string, key: string, configured: string | null, use: string, listed: Folders): string => {
  if (configured !== null) return `${what} goes to ${configured}`
  const found = listed.find(({ specialUse }) => specialUse === use)
  return found === undefined ? `no folder for ${what} (${key})` : `${what} goes to ${found.path} (SPECIAL-USE)`
}

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
  const toCreate = [...new Set(targets)].filter((folder) => !isThere(folder))
  return [
    `${listed.length} folders`,
    ...(wanted.length === 0 ? [] : [`${wanted.join(', ')} can be opened`]),
    describeTarget('archived mail', 'archiveFolder', archiveFolder, '\\Archive', listed),
    describeTarget('sent mail', 'sentFolder', sentFolder, '\\Sent', listed),
    ...(toCreate.length === 0 ? [] : [`${toCreate.join(', ')} will be created`]),
  ].join('; ')
}

export const checkImap = (account: AccountConfig, imap: ImapConfig, { connect, now }: ImapCheckPorts): Check => ({
  component: 'imap',
  account: account.name,
  run: async (takeStep) => {
    await takeNetworkSteps(imap, 'imap', takeStep, now)
    let mailbox: CheckedMailbox | null = null
    try {
      mailbox = await takeStep('login', connect, ({ loginWay, capabilities }) => {
        const who =
          imap.auth === null || loginWay === null ? 'without a login' : `logged in as ${imap.auth.user} by ${loginWay}`
        return `${who}; ${describeCapabilities(capabilities)}`
      })
      const open = mailbox
      await takeStep(
        'folders',
        () => checkFolders(open, account),
        (found) => found,
      )
    } finally {
      await mailbox?.close()
    }
  },
})
