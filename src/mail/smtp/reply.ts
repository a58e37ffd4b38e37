/**
 * Replies of an SMTP server (RFC 5321 4.2), out of the bytes as they come (pure).
 *
 * A reply is bounded and made harmless here: what a server says ends up in records and logs.
 */
import { PosthornError } from '../../errors.ts'

export interface SmtpReply {
  /** Three digits. */
  code: number
  /** Enhanced status code (RFC 2034, RFC 3463), such as `5.1.1`. */
  enhancedCode: string | null
  /** Text of all lines joined by blanks, without the codes and control characters; at most 500 characters. */
  text: string
}

const maxReplyBytes = 64 * 1024
const maxTextLength = 500

const enhanced = /^([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)/

/** Printable and bounded: no control character, no line break, no direction override. */
export const harmless = (text: string, longest = maxTextLength): string => {
  const clean = text
    .replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
  return clean.length > longest ? `${clean.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…` : clean
}

const asText = (bytes: string): string =>
  /[\x80-\xff]/.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes

const readReply = (code: number, lines: readonly string[]): SmtpReply => {
  const first = lines[0] ?? ''
  const enhancedCode = enhanced.exec(first)?.[1] ?? null
  // Each line repeats the enhanced code (RFC 2034 4).
  const texts = enhancedCode === null ? lines : lines.map((line) => line.replace(enhanced, ''))
  return { code, enhancedCode, text: harmless(asText(texts.join(' '))) }
}

/** As a person would quote it: `550 5.1.1 no such user`. */
export const quoteReply = ({ code, enhancedCode, text }: SmtpReply): string =>
  [code, enhancedCode, text].filter((part) => part !== null && part !== '').join(' ')

const malformed = (what: string): PosthornError =>
  new PosthornError('SMTP_PROTOCOL_ERROR', `the server's reply is not SMTP: ${what}`, {
    stage: 'reply',
    retryable: true,
    action: 'Check that host and port are those of an SMTP server.',
  })

export class ReplyReader {
  /** Bytes of a line whose end has not come yet, one character a byte. */
  #rest = ''
  #lines: string[] = []
  #size = 0

  /**
   * @returns the replies that these bytes complete
   * @throws PosthornError `SMTP_PROTOCOL_ERROR`; the connection can't be used any more
   */
  push(chunk: Buffer): SmtpReply[] {
    const replies: SmtpReply[] = []
    const input = this.#rest + chunk.toString('latin1')
    let start = 0
    for (let end = input.indexOf('\n'); end >= 0; end = input.indexOf('\n', start)) {
      const reply = this.#line(input.slice(start, input[end - 1] === '\r' && end > start ? end - 1 : end))
      if (reply !== null) replies.push(reply)
      start = end + 1
    }
    this.#rest = input.slice(start)
    if (this.#rest.length + this.#size > maxReplyBytes) throw malformed(`longer than ${maxReplyBytes} bytes`)
    return replies
  }

  #line(line: string): SmtpReply | null {
    const match = /^([2-5]\d\d)(?:([ -])(.*))?$/s.exec(line)
    if (match === null) throw malformed(JSON.stringify(harmless(asText(line), 80)))
    this.#lines.push(match[3] ?? '')
    this.#size += line.length
    if (this.#size > maxReplyBytes) throw malformed(`longer than ${maxReplyBytes} bytes`)
    if (match[2] === '-') return null
    const reply = readReply(Number(match[1]), this.#lines)
    this.#lines = []
    this.#size = 0
    return reply
  }
}
