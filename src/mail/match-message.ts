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

/** Selects everything. */
export const everyMessage: MessageSelector = Object.freeze({
  subject: null,
  from: null,
  to: null,
  unread: null,
  sinceMs: null,
  beforeMs: null,
  largerThanBytes: null,
  smallerThanBytes: null,
  hasAttachment: null,
  keyword: null,
})

/** What the matcher reads of a message. */
export interface MatchableMessage {
  /** Decoded. */
  readonly subject: string | null
  readonly from: readonly { readonly address: string }[]
  readonly to: readonly { readonly address: string }[]
  readonly flags: Iterable<string>
  /** INTERNALDATE, milliseconds since the epoch. */
  readonly receivedAtMs: number
  /** RFC822.SIZE, bytes. */
  readonly size: number
  readonly hasAttachment: boolean
}

/** Equal up to case and to how accents are composed (NFC). */
const fold = (text: string): string => text.normalize('NFC').toLowerCase()

/**
 * Case-insensitive glob over the whole text: `*` stands for any characters, `?` for one code point, the rest for
 * itself. At most pattern times text steps: only the last star is ever returned to, because what an earlier one
 * matched could only have been shorter.
 */
export const matchesGlob = (pattern: string, text: string): boolean => {
  const wanted = Array.from(fold(pattern))
  const given = Array.from(fold(text))
  let at = 0
  let star = -1
  let resume = 0
  for (let index = 0; index < given.length;) {
    const token = wanted[at]
    if (token === '*') {
      star = at
      resume = index
      at += 1
    } else if (token !== undefined && (token === '?' || token === given[index])) {
      at += 1
      index += 1
    } else if (star >= 0) {
      resume += 1
      index = resume
      at = star + 1
    } else return false
  }
  return wanted.slice(at).every((token) => token === '*')
}

const matchesAny = (pattern: string, addresses: readonly { readonly address: string }[]): boolean =>
  addresses.some(({ address }) => matchesGlob(pattern, address))

const hasFlag = (flags: Iterable<string>, wanted: string): boolean => {
  for (const flag of flags) if (flag.toLowerCase() === wanted.toLowerCase()) return true
  return false
}

/** Whether every criterion of the selector that is given holds for the message. */
export const matchesMessage = (selector: MessageSelector, message: MatchableMessage): boolean => {
  const { subject, from, to, unread, sinceMs, beforeMs, largerThanBytes, smallerThanBytes } = selector
  if (unread !== null && hasFlag(message.flags, '\\Seen') === unread) return false
  if (sinceMs !== null && message.receivedAtMs < sinceMs) return false
  if (beforeMs !== null && message.receivedAtMs >= beforeMs) return false
  if (largerThanBytes !== null && message.size <= largerThanBytes) return false
  if (smallerThanBytes !== null && message.size >= smallerThanBytes) return false
  if (selector.hasAttachment !== null && message.hasAttachment !== selector.hasAttachment) return false
  if (selector.keyword !== null && !hasFlag(message.flags, selector.keyword)) return false
  if (from !== null && !matchesAny(from, message.from)) return false
  if (to !== null && !matchesAny(to, message.to)) return false
  return subject === null || (message.subject !== null && fold(message.subject).includes(fold(subject)))
}
