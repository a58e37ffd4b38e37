/**
 * Which messages of a folder are meant. The server's SEARCH is too coarse (whole days, substrings or words), so it only
 * narrows the choice, by what every server reads alike; the same pure matcher then decides for rules and for commands.
 */
import type { Checkpoint } from '../avro/records.ts'
import type { ReceiveRule } from '../config/config.ts'
import { PosthornError, type ErrorCode } from '../errors.ts'
import type { Mailbox, MessageSummary, ReadSummary, SearchCriteria } from '../mail/mailbox.ts'
import { everyMessage, matchesMessage, type MessageSelector } from '../mail/match-message.ts'
import { defaultParseLimits } from '../mail/parse/limits.ts'
import { parseMessage } from '../mail/parse/parse-message.ts'
import { fromRanges } from '../mail/uid-set.ts'

/** Summaries are read in slices, so that a folder of a million messages is not in memory at once. */
const sliceSize = 1_000

export const sliceUids = (uids: readonly number[]): number[][] =>
  Array.from({ length: Math.ceil(uids.length / sliceSize) }, (_, index) =>
    uids.slice(index * sliceSize, (index + 1) * sliceSize),
  )

/** One by one up to a UID below which some message spoils what is done to it and others (ascending). */
export const sliceSuspects = (uids: readonly number[], suspectUpTo: number): number[][] => [
  ...uids.filter((uid) => uid <= suspectUpTo).map((uid) => [uid]),
  ...sliceUids(uids.filter((uid) => uid > suspectUpTo)),
]

/** What is published of a header is bounded, what is compared is not: a filter is exact for the last recipient as well. */
const wholeHeader = {
  ...defaultParseLimits,
  maxHeaderBytes: Number.POSITIVE_INFINITY,
  maxAddresses: Number.POSITIVE_INFINITY,
}

const noText = { subject: null, from: [], to: [] }

const asksForText = ({ subject, from, to }: MessageSelector): boolean =>
  subject !== null || from !== null || to !== null

/** `hasAttachment` is not asked here, since only the parsed message tells. */
const matches = (selector: MessageSelector, summary: MessageSummary, header: Buffer): boolean => {
  const { subject, from, to } = asksForText(selector) ? parseMessage(header, wholeHeader).message : noText
  const { flags, receivedAtMs, size } = summary
  const asked = { ...selector, hasAttachment: null }
  return matchesMessage(asked, { subject, from, to, flags, receivedAtMs, size, hasAttachment: false })
}

/** Text is left to the matcher: some servers search for whole words, or in what is not decoded. */
const toCriteria = (selector: MessageSelector): SearchCriteria => {
  const { unread, keyword, sinceMs, beforeMs, largerThanBytes, smallerThanBytes } = selector
  return { unread, keyword, sinceMs, beforeMs, largerThanBytes, smallerThanBytes }
}

const isNarrow = (criteria: SearchCriteria): boolean => Object.values(criteria).some((value) => value !== null)

/** The UIDs among `present` (ascending) that the server does not rule out. */
const narrow = async (
  mailbox: Mailbox,
  present: readonly number[],
  selector: MessageSelector,
): Promise<readonly number[]> => {
  const criteria = toCriteria(selector)
  const [first] = present
  if (first === undefined || !isNarrow(criteria)) return present
  const found = new Set(await mailbox.searchUids(criteria, first, present.at(-1)))
  return present.filter((uid) => found.has(uid))
}

/** Looks at messages a slice at a time. @returns the UIDs of those that pass, ascending */
const findWhere = async (
  mailbox: Mailbox,
  uids: readonly number[],
  passes: ReadSummary<boolean>,
): Promise<number[]> => {
  const found: number[] = []
  for (const slice of sliceUids(uids)) {
    const looked = await mailbox.fetchSummaries(slice, (summary, header) => ({
      uid: summary.uid,
      isFound: passes(summary, header),
    }))
    for (const { uid, isFound } of looked) if (isFound) found.push(uid)
  }
  return found.sort((a, b) => a - b)
}

/** The messages among `present` (ascending) that match. A message that vanished meanwhile is left out. */
export const findMatching = async (
  mailbox: Mailbox,
  present: readonly number[],
  selector: MessageSelector,
): Promise<number[]> => {
  const candidates = await narrow(mailbox, present, selector)
  return findWhere(mailbox, candidates, (summary, header) => matches(selector, summary, header))
}

/** @param messageId as it is published: with angle brackets, which the message itself may lack */
export const findByMessageId = async (mailbox: Mailbox, messageId: string): Promise<number[]> => {
  // SEARCH takes it in any case and finds parts of other ids.
  const found = await mailbox.searchUids({ messageId: messageId.replaceAll(/^<|>$/g, '') }, 1)
  return findWhere(mailbox, found, (_, header) => parseMessage(header, wholeHeader).message.messageId === messageId)
}

/** Up to `firstSightUid` the `start` rule decides as well. */
const atFirstSight = ({ start }: ReceiveRule): MessageSelector => ({
  ...everyMessage,
  unread: start.at === 'unread' ? true : null,
  sinceMs: start.at === 'date' ? start.sinceMs : null,
})

/** The UIDs among `listed` (ascending) that have to be looked at. */
export const listCandidates = async (
  mailbox: Mailbox,
  listed: readonly number[],
  checkpoint: Checkpoint,
  rule: ReceiveRule,
): Promise<readonly number[]> => {
  const firstSightUid = checkpoint.firstSightUid ?? 0
  const old = listed.filter((uid) => uid <= firstSightUid)
  const taken = new Set(checkpoint.atFirstSight === null ? null : fromRanges(checkpoint.atFirstSight))
  const wanted =
    checkpoint.atFirstSight === null
      ? await narrow(mailbox, old, atFirstSight(rule))
      : old.filter((uid) => taken.has(uid))
  return narrow(mailbox, [...wanted, ...listed.filter((uid) => uid > firstSightUid)], rule.select)
}

export interface Look {
  /** Ascending. */
  selected: MessageSummary[]
  /** Everything that the server described, ascending. */
  described: MessageSummary[]
  /** UIDs that are there but that the server does not describe. */
  indescribable: number[]
}

export const nothing: Look = { selected: [], described: [], indescribable: [] }

export const undescribed = new PosthornError('IMAP_COMMAND_FAILED', 'the server does not describe the message', {
  stage: 'fetch',
})

/** What a checkpoint passes over without having seen it, when it moves on from `lastUid` to `last`. */
export const unseen = ({ indescribable }: Look, lastUid: number, last: number): Map<number, ErrorCode> =>
  new Map(indescribable.filter((uid) => uid > lastUid && uid <= last).map((uid) => [uid, undescribed.code]))

/** Looks at some of the candidates (ascending). */
export const lookAt = async (
  mailbox: Mailbox,
  uids: readonly number[],
  { firstSightUid, atFirstSight: settledThen }: Pick<Checkpoint, 'firstSightUid' | 'atFirstSight'>,
  rule: ReceiveRule,
): Promise<Look> => {
  const isFree = (uid: number) => settledThen !== null || uid > (firstSightUid ?? 0)
  const first = atFirstSight(rule)
  const looked = await mailbox.fetchSummaries(uids, (summary, header) => ({
    summary,
    isSelected: matches(rule.select, summary, header) && (isFree(summary.uid) || matches(first, summary, header)),
  }))
  looked.sort((a, b) => a.summary.uid - b.summary.uid)
  const described = looked.map(({ summary }) => summary)
  const selected = looked.flatMap(({ summary, isSelected }) => (isSelected ? [summary] : []))
  const seen = new Set(described.map(({ uid }) => uid))
  const missing = uids.filter((uid) => !seen.has(uid))
  const present = new Set(missing[0] === undefined ? [] : await mailbox.searchUids({}, missing[0], missing.at(-1)))
  return { selected, described, indescribable: missing.filter((uid) => present.has(uid)) }
}
