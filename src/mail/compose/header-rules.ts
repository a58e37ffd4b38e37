/** Which extra header fields a request may set, and how (pure). */

/**
 * Set by Posthorn from the request's own members, or by the servers on the way; or a statement about the sender's right
 * to send, which a request can't make. `Bcc` would show blind copies, `Sender` and `Resent-*` another sender than the
 * account allows.
 */
const reservedNames = new Set([
  'apparently-to',
  'authentication-results',
  'bcc',
  'cc',
  'date',
  'delivered-to',
  'dkim-signature',
  'domainkey-signature',
  'envelope-to',
  'from',
  'in-reply-to',
  'message-id',
  'mime-version',
  'original-recipient',
  'received',
  'received-spf',
  'references',
  'reply-to',
  'return-path',
  'sender',
  'subject',
  'to',
  'x-original-to',
])
const reservedPrefixes = ['arc-', 'content-', 'resent-']
/** Set by `priority` where that is given. */
const priorityNames = new Set(['importance', 'priority', 'x-priority', 'x-msmail-priority'])

const longestValue = 10_000
/** A line has at most 998 octets (RFC 5322 2.1.1) and is folded at blanks only. */
const longestWord = 900

/** @returns the rule that the text breaks as a header value; null: none */
export const headerValueProblem = (value: string): string | null => {
  if (/\p{Cc}/u.test(value.replaceAll('\t', ' '))) return 'must not have control characters or line breaks'
  if (value.length > longestValue) return `must have at most ${longestValue} characters`
  if (new RegExp(`[!-~]{${longestWord + 1}}`).test(value))
    return `must not have words of more than ${longestWord} characters`
  return null
}

/** @returns the rule that the name breaks; null: none */
export const headerNameProblem = (name: string, hasPriority: boolean): string | null => {
  // RFC 5322 3.6.8.
  if (!/^[!-9;-~]{1,76}$/.test(name)) return 'must be a field name: 1 to 76 printable ASCII characters without a colon'
  const lower = name.toLowerCase()
  if (reservedNames.has(lower) || reservedPrefixes.some((prefix) => lower.startsWith(prefix))) {
    return 'must not be set by a request'
  }
  if (hasPriority && priorityNames.has(lower)) return 'is set by priority; leave out one of them'
  return null
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const mediaType = new RegExp(`^${token}/${token}(?:\\s*;\\s*${token}=(?:${token}|"(?:[^"\\\\]|\\\\[ -~])*"))*\\s*;?$`)

/** @returns the rule that the text breaks as a media type (RFC 2045 5.1) of one part; null: none */
export const mediaTypeProblem = (text: string): string | null => {
  if (text.length > 500 || !/^[ -~]*$/.test(text) || !mediaType.test(text)) {
    return 'must be a media type such as text/xml; charset=utf-8'
  }
  return /^multipart\//i.test(text) ? 'must not be multipart; attachments make it so' : null
}
