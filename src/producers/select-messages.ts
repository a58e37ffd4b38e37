/**
 * Which messages of a folder are meant. The server's SEARCH is too coarse (whole days, substrings), so it only narrows
 * the choice; the same pure matcher then decides for rules and for commands.
 */
import type { ReceiveRule } from '../config/config.ts'
import type { Mailbox, MessageSummary } from '../mail/mailbox.ts'
import { everyMessage, matchesMessage, type MessageSelector } from '../mail/match-message.ts'
import { defaultParseLimits } from '../mail/parse/limits.ts'
import { parseMessage } from '../mail/parse/parse-message.ts'

/** Summaries are read in slices, so that a folder of a million messages is not in memory at once. */
const sliceSize = 1_000

const matches = (selector: MessageSelector, summary: MessageSummary): boolean => {
  const { subject, from, to } = parseMessage(summary.header, defaultParseLimits).message
  const { flags, receivedAtMs, size } = summary
  return matchesMessage(selector, { subject, from, to, flags, receivedAtMs, size, hasAttachment: false })
}

/**
 * The messages among `uids` (ascending) that match; `hasAttachment` is not asked here, since only the parsed message
 * tells. A message that vanished meanwhile is left out.
 */
export const matchSummaries = async (
  mailbox: Mailbox,
  uids: readonly number[],
  selector: MessageSelector,
  isWanted: (summary: MessageSummary) => boolean = () => true,
): Promise<MessageSummary[]> => {
  const asked = { ...selector, hasAttachment: null }
  const found: MessageSummary[] = []
  for (let start = 0; start < uids.length; start += sliceSize) {
    for (const summary of await mailbox.fetchSummaries(uids.slice(start, start + sliceSize))) {
      if (isWanted(summary) && matches(asked, summary)) found.push(summary)
    }
  }
  return found.sort((a, b) => a.uid - b.uid)
}

/** @param firstSightUid up to it the rule's `start` decides as well; 0: it does not */
export const selectMessages = (
  mailbox: Mailbox,
  uids: readonly number[],
  { select, start }: Pick<ReceiveRule, 'select' | 'start'>,
  firstSightUid: number,
): Promise<MessageSummary[]> => {
  const atFirstSight: MessageSelector = {
    ...everyMessage,
    unread: start.at === 'unread' ? true : null,
    sinceMs: start.at === 'date' ? start.sinceMs : null,
  }
  return matchSummaries(
    mailbox,
    uids,
    select,
    (summary) => summary.uid > firstSightUid || matches(atFirstSight, summary),
  )
}
