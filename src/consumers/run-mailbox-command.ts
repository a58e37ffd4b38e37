/**
 * Carries out one mailbox command on an open connection: plan it, act in batches, report what changed.
 *
 * Safe to repeat: the plan is kept before the first action, and a repeat does only what is left of it.
 */
import type { MailboxCommand, MailboxCommandResult, MovedMessage } from '../avro/records.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { OutgoingRecord, RecordHeader } from '../kafka/records.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { fromUidSet } from '../mail/uid-set.ts'
import { moveMessages } from '../producers/move-messages.ts'
import { findProgress, planCommand, type CommandPlan, type Progress } from './plan-command.ts'

export type CommandOutcome = Pick<
  MailboxCommandResult,
  'status' | 'matched' | 'changed' | 'moved' | 'toFolder' | 'error'
>

export interface CommandRun {
  outcome: CommandOutcome
  /** To be committed together with the result. */
  records: readonly OutgoingRecord[]
}

export interface Redelivered {
  /** Of all. */
  count: number
  /** Those that are not committed yet. */
  records: readonly OutgoingRecord[]
}

export interface CommandSettings {
  /** Null: SPECIAL-USE `\Archive` (RFC 6154). */
  archiveFolder: string | null
  /** False: another worker may own the account by now. */
  isLeaseFresh: () => boolean
  /**
   * Publishes messages again.
   *
   * @param uids ascending
   * @param headers of the records
   * @param keep commits records and how far it has got: up to a UID, so many messages in all
   */
  redeliver: (
    mailbox: Mailbox,
    place: { folder: string; uidValidity: number },
    uids: readonly number[],
    headers: readonly RecordHeader[],
    keep: (records: readonly OutgoingRecord[], upTo: number, count: number) => Promise<void>,
  ) => Promise<Redelivered>
}

/** Of this run and earlier ones. */
export interface CommandMemory {
  /** What an earlier run planned. */
  plan: CommandPlan | null
  /** Commits the plan, and what goes along with it. */
  keep: (plan: CommandPlan, records?: readonly OutgoingRecord[]) => Promise<void>
  /** The command's own, which go along with redelivered messages. */
  headers: readonly RecordHeader[]
}

const defaultBatchSize = 500
/** Servers bound the length of a command; so many scattered UIDs take about 8,000 bytes (RFC 2683 3.2.1.5). */
const mostInBatch = 1_000

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
  memory: CommandMemory,
): Promise<CommandRun> => {
  const { uidValidity } = await mailbox.open(command.fromFolder, { readOnly: command.action === 'REDELIVER' })
  const { target } = command
  if ('uids' in target && target.uidValidity !== uidValidity) {
    const message = `the folder's UIDVALIDITY is ${uidValidity}, the command means ${target.uidValidity}`
    const error = new PosthornError('IMAP_UIDVALIDITY_CHANGED', message, { stage: 'command' })
    return { outcome: outcomeOfError('REJECTED', error), records: [] }
  }
  const known = memory.plan?.uidValidity === uidValidity ? memory.plan : null
  const plan = known ?? (await planCommand(mailbox, command, uidValidity, settings.archiveFolder))
  const uids = fromUidSet(plan.uids)
  const found = { matched: uids.length, toFolder: plan.toFolder }
  if (uids.length === 0) {
    return { outcome: { ...found, status: 'NOT_FOUND', changed: 0, moved: [], error: null }, records: [] }
  }
  if (command.action === 'REDELIVER') {
    const { upTo, count: before } = plan.redelivered
    const keep = (records: readonly OutgoingRecord[], upTo: number, count: number) =>
      memory.keep({ ...plan, redelivered: { upTo, count: before + count } }, records)
    const left = uids.filter((uid) => uid > upTo)
    const place = { folder: command.fromFolder, uidValidity }
    const { count, records } = await settings.redeliver(mailbox, place, left, memory.headers, keep)
    const changed = before + count
    const status = changed === uids.length && plan.missing === 0 ? 'DONE' : 'PARTIAL'
    return { outcome: { ...found, status, changed, moved: [], error: null }, records }
  }
  if (known === null) await memory.keep(plan)
  const fresh: Progress = { left: uids, copied: [], moved: [], changed: 0, others: 0 }
  const progress = known === null ? fresh : await findProgress(mailbox, command, known)
  const outcome = await finish(mailbox, command, plan, progress, settings)
  return { outcome: { ...found, ...outcome }, records: [] }
}

const finish = async (
  mailbox: Mailbox,
  command: MailboxCommand,
  plan: CommandPlan,
  progress: Progress,
  { isLeaseFresh }: CommandSettings,
): Promise<Omit<CommandOutcome, 'matched' | 'toFolder'>> => {
  let moved = [...progress.moved]
  let { changed } = progress
  const size = Math.min(command.folderSizeLimit ?? defaultBatchSize, mostInBatch)
  const assertOwned = () => {
    if (isLeaseFresh()) return
    throw new PosthornError('KAFKA_UNREACHABLE', 'the consumer group has not answered for a session timeout', {
      stage: 'command',
      retryable: true,
    })
  }
  try {
    for (const batch of inBatches(progress.copied, size)) {
      assertOwned()
      await mailbox.deleteExactly(batch.map(({ fromUid }) => fromUid))
      moved.push(...batch)
      changed += batch.length
    }
    for (const batch of inBatches(progress.left, size)) {
      assertOwned()
      const done = await act(mailbox, command, plan.toFolder ?? '', batch)
      moved.push(...(done ?? []))
      changed += done?.length ?? batch.length
    }
    const canFind = command.action === 'COPY' || plan.fingerprints.length > 0
    if (canFind && moved.some(({ toUid }) => toUid === null)) {
      moved = await findUntold(mailbox, command, plan, moved)
      changed = moved.length
      if (changed === 0) throw copiedNothing()
    }
  } catch (cause) {
    const error = toPosthornError(cause, 'command')
    if (error.retryable) throw error
    const { code, message } = error
    return { status: changed > 0 ? 'PARTIAL' : 'FAILED', changed, moved, error: { code, message } }
  }
  const isWhole = plan.missing === 0 && changed === fromUidSet(plan.uids).length
  return { status: isWhole ? 'DONE' : 'PARTIAL', changed, moved, error: null }
}

/** Finds new UIDs that the server did not tell. What a copy is said to have done counts only where something arrived. */
const findUntold = async (
  mailbox: Mailbox,
  command: MailboxCommand,
  plan: CommandPlan,
  moved: readonly MovedMessage[],
): Promise<MovedMessage[]> => {
  const seen = await findProgress(mailbox, command, plan)
  const toUids = new Map(seen.moved.map(({ fromUid, toUid }) => [fromUid, toUid]))
  const found = moved.map(({ fromUid, toUid }) => ({ fromUid, toUid: toUid ?? toUids.get(fromUid) ?? null }))
  if (command.action !== 'COPY') return found
  // A server that gives copies another date makes them unknown, but they are there.
  const missing = found.filter(({ toUid }) => toUid === null).length
  if (seen.others >= missing) return found
  return found.filter(({ toUid }) => toUid !== null)
}

const copiedNothing = (): PosthornError =>
  new PosthornError('IMAP_COMMAND_FAILED', 'the server says that it has copied, but nothing has arrived', {
    stage: 'command',
  })

const inBatches = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size))

/** @returns what was transferred; null: nothing is by this action */
const act = async (
  mailbox: Mailbox,
  { action, fromFolder, flags }: MailboxCommand,
  toFolder: string,
  uids: readonly number[],
): Promise<MovedMessage[] | null> => {
  switch (action) {
    case 'MOVE':
    case 'ARCHIVE':
      return transferred(await moveMessages(mailbox, fromFolder, uids, toFolder))
    case 'COPY':
      return transferred(await mailbox.copy(uids, toFolder))
    case 'DELETE':
      await mailbox.deleteExactly(uids)
      return null
    case 'ADD_FLAGS':
      await mailbox.addFlags(uids, flags)
      return null
    case 'REMOVE_FLAGS':
      await mailbox.removeFlags(uids, flags)
      return null
    case 'MARK_SEEN':
      await mailbox.addFlags(uids, ['\\Seen'])
      return null
    case 'MARK_UNSEEN':
      await mailbox.removeFlags(uids, ['\\Seen'])
      return null
    case 'REDELIVER':
      throw new Error('redelivery does nothing to the mailbox')
    default:
      return action satisfies never
  }
}

const transferred = (newUids: ReadonlyMap<number, number | null>): MovedMessage[] =>
  [...newUids].map(([fromUid, toUid]) => ({ fromUid, toUid }))
