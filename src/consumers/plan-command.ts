/**
 * What a mailbox command will do, fixed before anything is done, and what an earlier run has done of it already.
 *
 * A worker may be killed, or lose the connection, between an action and the commit of its result. The plan is committed
 * before the first action; the next run compares it with both folders, so that nothing is copied twice and the result
 * tells what was really moved.
 */
import type { MailboxCommand, MessageFilter, MovedMessage, UidRange } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { everyMessage, type MessageSelector } from '../mail/match-message.ts'
import { fromRanges, toRanges } from '../producers/checkpoint.ts'
import { fingerprintOf } from '../producers/renumbering.ts'
import { findByMessageId, findMatching, sliceUids } from '../producers/select-messages.ts'

export interface CommandPlan {
  uidValidity: number
  uids: UidRange[]
  /** How many of the target's UIDs or Message-IDs were not there. */
  missing: number
  toFolder: string | null
  /** What arrives in `toFolder` gets this UID or a higher one; null: the server does not tell. */
  toUidNext: number | null
  /** By UID; empty where too many messages are meant, or none is transferred. */
  fingerprints: Record<string, string>
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
}

/** 20 bytes each in one record. */
const mostFingerprints = 20_000

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
  const plan = { uidValidity, uids: toRanges(uids), missing, toFolder, toUidNext: null, fingerprints: {} }
  if (uids.length === 0 || toFolder === null) return plan
  if (command.createFolder) await mailbox.createFolder(toFolder)
  const toUidNext = await mailbox.uidNextOf(toFolder)
  const fingerprints: Record<string, string> = {}
  if (toUidNext !== null && uids.length <= mostFingerprints) {
    for (const slice of sliceUids(uids)) {
      for (const summary of await mailbox.fetchSummaries(slice)) fingerprints[summary.uid] = fingerprintOf(summary)
    }
  }
  return { ...plan, toUidNext, fingerprints }
}

/** Compares the plan with what is there now. Leaves the command's folder open. */
export const findProgress = async (mailbox: Mailbox, command: MailboxCommand, plan: CommandPlan): Promise<Progress> => {
  const planned = fromRanges(plan.uids)
  const present = new Set(await mailbox.searchUids({}, planned[0] ?? 1))
  const left = planned.filter((uid) => present.has(uid))
  const gone = planned.filter((uid) => !present.has(uid))
  if (command.action === 'DELETE') return { left, copied: [], moved: [], changed: gone.length }
  if (!isTransfer(command)) return { left, copied: [], moved: [], changed: 0 }
  const arrived = await findArrived(mailbox, plan)
  await mailbox.open(command.fromFolder, { readOnly: false })
  if (command.action === 'COPY') {
    const moved = planned.flatMap((fromUid) => takeArrived(arrived, plan, fromUid))
    const done = new Set(moved.map(({ fromUid }) => fromUid))
    return { left: left.filter((uid) => !done.has(uid)), copied: [], moved, changed: moved.length }
  }
  // Without fingerprints nobody can tell where they went, but they are gone.
  const isTraceable = Object.keys(plan.fingerprints).length > 0
  const moved = gone.flatMap((fromUid) =>
    isTraceable ? takeArrived(arrived, plan, fromUid) : [{ fromUid, toUid: null }],
  )
  const copied = left.flatMap((fromUid) => takeArrived(arrived, plan, fromUid))
  const halfDone = new Set(copied.map(({ fromUid }) => fromUid))
  return { left: left.filter((uid) => !halfDone.has(uid)), copied, moved, changed: moved.length }
}

/** The new messages of the destination, by fingerprint. */
const findArrived = async (mailbox: Mailbox, { toFolder, toUidNext }: CommandPlan): Promise<Map<string, number[]>> => {
  const arrived = new Map<string, number[]>()
  if (toFolder === null || toUidNext === null) return arrived
  await mailbox.open(toFolder, { readOnly: true })
  for (const slice of sliceUids(await mailbox.searchUids({}, toUidNext))) {
    for (const summary of (await mailbox.fetchSummaries(slice)).sort((a, b) => a.uid - b.uid)) {
      const fingerprint = fingerprintOf(summary)
      arrived.set(fingerprint, [...(arrived.get(fingerprint) ?? []), summary.uid])
    }
  }
  return arrived
}

const takeArrived = (
  arrived: Map<string, number[]>,
  { fingerprints }: CommandPlan,
  fromUid: number,
): MovedMessage[] => {
  const toUid = arrived.get(fingerprints[fromUid] ?? '')?.shift()
  return toUid === undefined ? [] : [{ fromUid, toUid }]
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
