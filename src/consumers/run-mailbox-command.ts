/**
 * Carries out one mailbox command on an open connection: find the messages, act on them in batches, report what changed.
 *
 * Safe to repeat: what a first run already moved or deleted is not found any more, and flags are set, not toggled.
 */
import type { MailboxCommand, MailboxCommandResult, MessageFilter, MovedMessage } from '../avro/records.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { everyMessage, type MessageSelector } from '../mail/match-message.ts'
import { findMatching } from '../producers/select-messages.ts'

export type CommandOutcome = Pick<
  MailboxCommandResult,
  'status' | 'matched' | 'changed' | 'moved' | 'toFolder' | 'error'
>

export interface CommandSettings {
  /** Null: SPECIAL-USE `\Archive` (RFC 6154). */
  archiveFolder: string | null
  /** Publishes messages again. @returns how many */
  redeliver: (mailbox: Mailbox, folder: string, uidValidity: number, uids: readonly number[]) => Promise<number>
}

const defaultBatchSize = 500

export const outcomeOfError = (
  status: 'REJECTED' | 'FAILED' | 'PARTIAL',
  { code, message }: PosthornError,
  found: Partial<CommandOutcome> = {},
): CommandOutcome => ({ matched: 0, changed: 0, moved: [], toFolder: null, ...found, status, error: { code, message } })

/** @throws PosthornError retryable: nothing is known to have failed for good; try the command again */
export const runMailboxCommand = async (
  mailbox: Mailbox,
  command: MailboxCommand,
  settings: CommandSettings,
): Promise<CommandOutcome> => {
  const opened = await mailbox.open(command.fromFolder, { readOnly: command.action === 'REDELIVER' })
  const { target } = command
  if ('uids' in target && target.uidValidity !== opened.uidValidity) {
    const message = `the folder's UIDVALIDITY is ${opened.uidValidity}, the command means ${target.uidValidity}`
    return outcomeOfError('REJECTED', new PosthornError('IMAP_UIDVALIDITY_CHANGED', message, { stage: 'command' }))
  }
  const toFolder = await findDestination(mailbox, command, settings)
  const { uids, missing } = await findTargets(mailbox, target)
  const found = { matched: uids.length, toFolder }
  if (uids.length === 0) return { ...found, status: 'NOT_FOUND', changed: 0, moved: [], error: null }
  if (toFolder !== null && command.createFolder) await mailbox.createFolder(toFolder)

  const moved: MovedMessage[] = []
  let changed = 0
  const size = command.folderSizeLimit ?? defaultBatchSize
  for (let start = 0; start < uids.length; start += size) {
    const batch = uids.slice(start, start + size)
    try {
      const done = await act(mailbox, command, toFolder, batch, opened.uidValidity, settings)
      moved.push(...done.moved)
      changed += done.changed
    } catch (cause) {
      const error = toPosthornError(cause, 'command')
      if (error.retryable) throw error
      return outcomeOfError(changed > 0 ? 'PARTIAL' : 'FAILED', error, { ...found, changed, moved })
    }
  }
  const isWhole = missing === 0 && changed === uids.length
  return { ...found, status: isWhole ? 'DONE' : 'PARTIAL', changed, moved, error: null }
}

const findDestination = async (
  mailbox: Mailbox,
  { action, toFolder }: MailboxCommand,
  { archiveFolder }: CommandSettings,
): Promise<string | null> => {
  if (action === 'MOVE' || action === 'COPY') return toFolder
  if (action !== 'ARCHIVE') return null
  const folder = toFolder ?? archiveFolder ?? (await mailbox.findSpecialFolder('\\Archive'))
  if (folder !== null) return folder
  throw new PosthornError('IMAP_FOLDER_MISSING', 'the account has no archive folder', {
    stage: 'command',
    action: 'Set archiveFolder for the account, or name toFolder in the command.',
  })
}

const findTargets = async (
  mailbox: Mailbox,
  target: MailboxCommand['target'],
): Promise<{ uids: number[]; missing: number }> => {
  const present = await mailbox.searchUids({}, 1)
  if ('all' in target) return { uids: target.all ? present : [], missing: 0 }
  if ('uids' in target) {
    const wanted = new Set(target.uids)
    const uids = present.filter((uid) => wanted.has(uid))
    return { uids, missing: wanted.size - uids.length }
  }
  if ('filter' in target) {
    return { uids: await findMatching(mailbox, present, toSelector(target.filter)), missing: 0 }
  }
  const uids = new Set<number>()
  let missing = 0
  for (const messageId of new Set(target.messageIds)) {
    const found = await mailbox.searchUids({ messageId }, 1)
    if (found.length === 0) missing += 1
    for (const uid of found) uids.add(uid)
  }
  return { uids: [...uids].sort((a, b) => a - b), missing }
}

const toSelector = (filter: MessageFilter): MessageSelector => ({
  ...everyMessage,
  subject: filter.subject,
  from: filter.from,
  to: filter.to,
  unread: filter.seen === null ? null : !filter.seen,
  sinceMs: filter.since,
  beforeMs: filter.before,
  largerThanBytes: filter.larger,
  smallerThanBytes: filter.smaller,
})

const act = async (
  mailbox: Mailbox,
  { action, flags, fromFolder }: MailboxCommand,
  toFolder: string | null,
  uids: readonly number[],
  uidValidity: number,
  settings: CommandSettings,
): Promise<{ moved: MovedMessage[]; changed: number }> => {
  switch (action) {
    case 'MOVE':
    case 'ARCHIVE':
      return transferred(await mailbox.move(uids, toFolder ?? ''))
    case 'COPY':
      return transferred(await mailbox.copy(uids, toFolder ?? ''))
    case 'DELETE':
      await mailbox.deleteExactly(uids)
      break
    case 'ADD_FLAGS':
      await mailbox.addFlags(uids, flags)
      break
    case 'REMOVE_FLAGS':
      await mailbox.removeFlags(uids, flags)
      break
    case 'MARK_SEEN':
      await mailbox.addFlags(uids, ['\\Seen'])
      break
    case 'MARK_UNSEEN':
      await mailbox.removeFlags(uids, ['\\Seen'])
      break
    case 'REDELIVER':
      return { moved: [], changed: await settings.redeliver(mailbox, fromFolder, uidValidity, uids) }
    default:
      action satisfies never
  }
  return { moved: [], changed: uids.length }
}

const transferred = (newUids: ReadonlyMap<number, number | null>) => {
  const moved = [...newUids].map(([fromUid, toUid]) => ({ fromUid, toUid }))
  return { moved, changed: moved.length }
}
