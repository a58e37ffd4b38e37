/** From search criteria to the client's query (pure). */
import type { SearchObject } from 'imapflow'
import type { SearchCriteria } from './mailbox.ts'

/**
 * SINCE and BEFORE compare days and disregard time zones (RFC 3501 6.4.4), and a server's clock may differ from ours
 * (RFC 5032 YOUNGER): two days of margin cover both.
 */
const marginMs = 2 * 86_400_000

/** `n:*` is never empty: see `searchUids`. */
export const toSearchQuery = (criteria: SearchCriteria, fromUid: number, toUid: number | '*'): SearchObject => {
  const { messageId, unread, keyword, sinceMs, beforeMs, largerThanBytes, smallerThanBytes } = criteria
  return {
    uid: `${fromUid}:${toUid}`,
    ...(messageId === undefined ? {} : { header: { 'message-id': messageId } }),
    ...(unread === null || unread === undefined ? {} : { seen: !unread }),
    // A system flag is no keyword (RFC 3501 6.4.4); the matcher decides on it.
    ...(keyword === null || keyword === undefined || keyword.startsWith('\\') ? {} : { keyword }),
    ...(sinceMs === null || sinceMs === undefined ? {} : { since: new Date(sinceMs - marginMs) }),
    ...(beforeMs === null || beforeMs === undefined ? {} : { before: new Date(beforeMs + marginMs) }),
    ...(largerThanBytes === null || largerThanBytes === undefined ? {} : { larger: largerThanBytes }),
    ...(smallerThanBytes === null || smallerThanBytes === undefined ? {} : { smaller: smallerThanBytes }),
  }
}
