/**
 * Which messages a rule or a command means. Pure: the same matcher serves `receive[].select` and the filters of
 * mailbox commands, after the server's own, coarser SEARCH.
 */

/** All given criteria must hold; null means "not asked". */
export interface MessageSelector {
  /** Case-insensitive substring of the decoded subject. */
  readonly subject: string | null
  /** Case-insensitive glob (`*`, `?`) over the whole bare address of any From mailbox. */
  readonly from: string | null
  /** The same over the To mailboxes. */
  readonly to: string | null
  /** True: without `\Seen`; false: with it. */
  readonly unread: boolean | null
  /** Inclusive, on INTERNALDATE; milliseconds since the epoch. */
  readonly sinceMs: number | null
  /** Exclusive, on INTERNALDATE; milliseconds since the epoch. */
  readonly beforeMs: number | null
  /** RFC822.SIZE strictly larger, in bytes (RFC 3501 6.4.4 LARGER). */
  readonly largerThanBytes: number | null
  /** RFC822.SIZE strictly smaller, in bytes (RFC 3501 6.4.4 SMALLER). */
  readonly smallerThanBytes: number | null
  readonly hasAttachment: boolean | null
  /** An IMAP keyword or system flag that must be set, case-insensitive. */
  readonly keyword: string | null
}
