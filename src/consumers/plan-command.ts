/**
 * What a mailbox command will do, fixed before anything is done, and what an earlier run has done of it already.
 *
 * A worker may be killed, or lose the connection, between an action and the commit of its result. The plan is committed
 * before the first action; the next run compares it with both folders, so that nothing is copied twice and the result
 * tells what was really moved.
 */
import type { MailboxCommand, MessageFilter, MovedMessage } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { everyMessage, type MessageSelector } from '../mail/match-message.ts'
import { fromUidSet, toUidSet } from '../mail/uid-set.ts'
import { Arrivals, fingerprintsOf } from '../producers/arrivals.ts'
import { findByMessageId, findMatching } from '../producers/select-messages.ts'

export interface CommandPlan {
  uidValidity: number
  /** A sequence set, `1:5,9`. */
  uids: string
  /** How many of the target's UIDs or Message-IDs were not there. */
  missing: number
  toFolder: string | null
  /** What arrives in `toFolder` gets this UID or a higher one. */
  toUidNext: number
  /** Of the UIDs, in their order; null: not known. Empty where too many messages are meant, or none is transferred. */
  fingerprints: (string | null)[]
  /** What is published again already: up to this UID, so many. */
  redelivered: { upTo: number; count: number }
}

/** A plan as it is kept. Offsets begin anew in a topic that was made again, so it tells the command that it is for. */
export interface KeptPlan extends CommandPlan {
  of: string
}

/** Where a plan stands after an earlier run. */
export interface Progress {
  /** Still to be done. */
  left: number[]
  /** Copied by a move that was broken off, but not deleted yet. */
  copied: MovedMessage[]
  moved: MovedMessage[]
  /** Of those, or deleted. */
  changed: number
  /** So many messages that are not known as copies have arrived in the destination. */
  others: number
}

/** 15 bytes each in one record. */
const mostFingerprints = 20_000
/** Characters of `uids`: the plan is one record, and brokers take 1 MB by default. */
const longestUidSet = 500_000

const isTransfer = ({ action }: MailboxCommand): boolean =>
  action === 'MOVE' || action === 'ARCHIVE' || action === 'COPY'

/** @returns the plan; its `uids` are empty where nothing matches */
export const planCommand = async (
  mailbox: Mailbox,
  command: MailboxCommand,
  uidValidity: number,
  archiveFolder: string | null,
): Promise<CommandPlan> => {
  const toFolder = await findDestination(mailbox, command, archiveFolder)
  const { uids, missing } = await findTargets(mailbox, command.target)
  const plan = {
    uidValidity,
    uids: toUidSet(uids),
    missing,
    toFolder,
    toUidNext: 1,
    fingerprints: [],
    redelivered: { upTo: 0, count: 0 },
  }
  if (plan.uids.length > longestUidSet) {
    const message = `the command means ${uids.length} messages whose UIDs are too scattered for one command`
    throw new PosthornError('COMMAND_INVALID', message, {
      stage: 'command',
      action: 'Use several commands that mean fewer messages each, for example by date.',
    })
  }
  if (uids.length === 0 || toFolder === null) return plan
  if (command.createFolder) await mailbox.createFolder(toFolder)
  const toUidNext = await findUidNext(mailbox, toFolder, command.fromFolder)
  if (uids.length > mostFingerprints) return { ...plan, toUidNext }
  const fingerprints = await fingerprintsOf(mailbox, uids)
  return { ...plan, toUidNext, fingerprints: uids.map((uid) => fingerprints.get(uid) ?? null) }
}

/** Leaves `openFolder` open. */
const findUidNext = async (mailbox: Mailbox, folder: string, openFolder: string): Promise<number> => {
  const told = await mailbox.uidNextOf(folder)
  if (told !== null) return told
  await mailbox.open(folder, { readOnly: true })
  const highest = (await mailbox.searchUids({}, 1)).at(-1) ?? 0
  await mailbox.open(openFolder, { readOnly: false })
  return highest + 1
}

/** Compares the plan with what is there now. Leaves the command's folder open. */
export const findProgress = async (mailbox: Mailbox, command: MailboxCommand, plan: CommandPlan): Promise<Progress> => {
  const planned = fromUidSet(plan.uids)
  const present = new Set(await mailbox.searchUids({}, planned[0] ?? 1))
  const left = planned.filter((uid) => present.has(uid))
  const gone = planned.filter((uid) => !present.has(uid))
  if (command.action === 'DELETE') return { left, copied: [], moved: [], changed: gone.length, others: 0 }
  if (!isTransfer(command) || plan.toFolder === null) return { left, copied: [], moved: [], changed: 0, others: 0 }
  const isTraceable = plan.fingerprints.length > 0
  const fingerprints = isTraceable
    ? new Map(planned.map((uid, index) => [uid, plan.fingerprints[index] ?? undefined]))
    : await fingerprintsOf(mailbox, left)
  const arrivals = await Arrivals.read(mailbox, plan.toFolder, plan.toUidNext)
  await mailbox.open(command.fromFolder, { readOnly: false })
  const arrived = (uids: readonly number[]): MovedMessage[] =>
    uids.flatMap((fromUid) => {
      const toUid = arrivals.take(fingerprints.get(fromUid))
      return toUid === null ? [] : [{ fromUid, toUid }]
    })
  const without = (uids: readonly number[], done: readonly MovedMessage[]): number[] => {
    const doneUids = new Set(done.map(({ fromUid }) => fromUid))
    return uids.filter((uid) => !doneUids.has(uid))
  }
  if (command.action === 'COPY') {
    const moved = arrived(planned)
    return { left: without(left, moved), copied: [], moved, changed: moved.length, others: arrivals.count }
  }
  // Without fingerprints nobody can tell where they went, but they are gone.
  const moved = isTraceable ? arrived(gone) : gone.map((fromUid) => ({ fromUid, toUid: null }))
  const copied = arrived(left)
  return { left: without(left, copied), copied, moved, changed: moved.length, others: arrivals.count }
}

const findDestination = async (
  mailbox: Mailbox,
  { action, fromFolder, toFolder }: MailboxCommand,
  archiveFolder: string | null,
): Promise<string | null> => {
  if (action === 'MOVE' || action === 'COPY') return toFolder
  if (action !== 'ARCHIVE') return null
  const folder = toFolder ?? archiveFolder ?? (await mailbox.findSpecialFolder('\\Archive'))
  if (folder !== null && folder !== fromFolder) return folder
  const what = folder === null ? 'the account has no archive folder' : 'the messages are in the archive folder already'
  throw new PosthornError('IMAP_FOLDER_MISSING', what, {
    stage: 'command',
    action: 'Set archiveFolder for the account, or name toFolder in the command.',
  })
}

/** Message-IDs are written with their angle brackets (RFC 5322 3.6.4). */
const bracketed = (messageId: string): string => (messageId.startsWith('<') ? messageId : `<${messageId}>`)

const findTargets = async (
  mailbox: Mailbox,
  target: MailboxCommand['target'],
): Promise<{ uids: number[]; missing: number }> => {
  if ('messageIds' in target) {
    const uids = new Set<number>()
    let missing = 0
    for (const messageId of new Set(target.messageIds.map(bracketed))) {
      const found = await findByMessageId(mailbox, messageId)
      if (found.length === 0) missing += 1
      for (const uid of found) uids.add(uid)
    }
    return { uids: [...uids].sort((a, b) => a - b), missing }
  }
  const present = await mailbox.searchUids({}, 1)
  if ('all' in target) return { uids: target.all ? present : [], missing: 0 }
  if ('filter' in target) {
    return { uids: await findMatching(mailbox, present, toSelector(target.filter)), missing: 0 }
  }
  const wanted = new Set(target.uids)
  const uids = present.filter((uid) => wanted.has(uid))
  return { uids, missing: wanted.size - uids.length }
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
