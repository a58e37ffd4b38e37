/** Where a folder begins: at first sight, and when the server has renumbered it. Reads only; nothing is committed here. */
import type { Checkpoint } from '../avro/records.ts'
import type { ReceiveRule } from '../config/config.ts'
import type { Mailbox, OpenFolder } from '../mail/mailbox.ts'
import { toRanges } from '../mail/uid-set.ts'
import { firstCheckpoint } from './checkpoint.ts'
import type { PatientDescription } from './patient-description.ts'
import { isKnown, mostRemembered, remember, whatIsKnown, type Known } from './renumbering.ts'
import { sliceUids } from './select-messages.ts'

export interface FolderPast {
  account: string
  rule: ReceiveRule
  /** The checkpoint of another UIDVALIDITY; null: the folder was never seen. */
  known: Checkpoint | null
  now: number
  /** Kept from one try to the next. */
  description: PatientDescription
}

/** So many ranges make a checkpoint of about 300 KB; beyond, the flags are read when the messages are. */
const mostRanges = 50_000

/** What the server does not describe is unknown as well, and becomes a dead letter like any other such message. */
const findUnknown = async (
  mailbox: Mailbox,
  known: Known,
  highestUid: number,
  description: PatientDescription,
): Promise<number[]> => {
  const unknown: number[] = []
  const present = (await mailbox.searchUids({ sinceMs: known.sinceMs }, 1)).filter((uid) => uid <= highestUid)
  for (const slice of sliceUids(present)) {
    const described = await description.of(mailbox, slice)
    const settled = new Set(described.filter((summary) => isKnown(known, summary)).map(({ uid }) => uid))
    unknown.push(...slice.filter((uid) => !settled.has(uid)))
  }
  return unknown
}

export const establishCheckpoint = async (
  mailbox: Mailbox,
  { uidValidity, uidNext }: OpenFolder,
  { account, rule, known, now, description }: FolderPast,
): Promise<Checkpoint> => {
  const { folder, start, uidValidityChanged: policy } = rule
  // RFC 3501 2.3.1.1: UIDNEXT is above every UID; a server may omit it.
  const highestUid = uidNext === null ? ((await mailbox.searchUids({}, 1)).at(-1) ?? 0) : uidNext - 1
  const sight = { uidValidity, highestUid }
  if (known !== null && policy === 'replay') return firstCheckpoint(account, folder, { at: 'earliest' }, sight, now)
  if (known !== null) {
    const unknown = await findUnknown(mailbox, whatIsKnown(known, policy), highestUid, description)
    return {
      ...firstCheckpoint(account, folder, { at: 'unread' }, sight, now),
      atFirstSight: toRanges(unknown),
      recent: known.recent,
    }
  }
  const first = firstCheckpoint(account, folder, start, sight, now)
  if (start.at !== 'latest' && start.at !== 'unread') return first
  const present = (await mailbox.searchUids({}, 1)).filter((uid) => uid <= highestUid)
  const unread = new Set(start.at === 'unread' ? await mailbox.searchUids({ unread: true }, 1) : null)
  const ranges = toRanges(present.filter((uid) => unread.has(uid)))
  // What is passed over is settled as well: a renumbered folder must not bring it.
  const passedOver = present.filter((uid) => !unread.has(uid)).slice(-mostRemembered)
  const described = await description.of(mailbox, passedOver)
  const recent = remember([], described, policy)
  return { ...first, recent, atFirstSight: start.at === 'latest' || ranges.length > mostRanges ? null : ranges }
}
