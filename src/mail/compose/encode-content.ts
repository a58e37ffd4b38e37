/** Transfer encodings (RFC 2045 6) (pure). Everything that comes out has CRLF line ends and lines of at most 998 octets. */
import { encode, wrap } from 'nodemailer/lib/qp'

export type TransferEncoding = '7bit' | '8bit' | 'quoted-printable' | 'base64'

export interface EncodedContent {
  encoding: TransferEncoding
  content: Buffer
}

/** RFC 2045 6.8: at most 76 characters a line. */
const base64LineBytes = 57
/** RFC 5322 2.1.1: what a line should not exceed. */
const niceLineLength = 78
/** Above, the wrapping of quoted-printable costs more than its legibility is worth. */
const mostQuotedLength = 64 * 1024

const withCrlf = (text: string): string => (/[\r\n]/.test(text) ? text.replace(/\r\n|\r|\n/g, '\r\n') : text)

const hasLongLine = (text: string, longest: number): boolean => {
  let start = 0
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    if (end - 1 - start > longest) return true
    start = end + 1
  }
  return text.length - start > longest
}

/**
 * Text as it is where it is short-lined ASCII, else quoted-printable, or base64 where most of it is not ASCII.
 * Its line breaks, of whatever kind, become CRLF.
 */
export const encodeText = (text: string): EncodedContent => {
  const canonical = withCrlf(text)
  if (!/[^\t\r\n -~]/.test(canonical) && !hasLongLine(canonical, niceLineLength)) {
    return { encoding: '7bit', content: Buffer.from(canonical, 'latin1') }
  }
  const bytes = Buffer.from(canonical, 'utf8')
  // Each octet above 127 costs three in quoted-printable and four thirds in base64.
  const ascii = canonical.match(/[ -~]/g)?.length ?? 0
  if (canonical.length > mostQuotedLength || ascii * 6 < bytes.length * 5) {
    return { encoding: 'base64', content: encodeBase64(bytes) }
  }
  return { encoding: 'quoted-printable', content: Buffer.from(wrap(encode(bytes)), 'latin1') }
}

/** Bytes of any kind, given back exactly. */
export const encodeBytes = (content: Buffer): EncodedContent => ({ encoding: 'base64', content: encodeBase64(content) })

/**
 * A message within a message can't be base64 (RFC 2046 5.2.1). Null: it has lines or octets that mail can't carry as
 * they are.
 */
export const encodeMessage = (content: Buffer): EncodedContent | null => {
  const text = content.toString('latin1')
  if (text.includes('\0') || hasLongLine(text, 998)) return null
  if (/(?:^|[^\r])\n|\r(?!\n)/.test(text)) return null
  return { encoding: /[\x80-\xff]/.test(text) ? '8bit' : '7bit', content }
}

/** With a line break at the end of every full line, and of the last one only where it is full. */
export const encodeBase64 = (content: Buffer): Buffer => {
  const encoded = content.toString('base64')
  const lines: string[] = []
  for (let at = 0; at < encoded.length; at += 76) lines.push(encoded.slice(at, at + 76))
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

/** What `encodeBase64` makes of so many bytes. */
export const base64Length = (bytes: number): number => {
  const characters = Math.ceil(bytes / 3) * 4
  return characters + Math.max(0, Math.ceil(characters / 76) - 1) * 2
}

/** The same as `encodeBase64` of the whole, piece by piece. */
export async function* encodeBase64Stream(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  let begun = false
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    // The last line is held back: only the end of the source says whether a line break follows it.
    const whole = Math.max(0, Math.ceil(bytes.length / base64LineBytes) - 1) * base64LineBytes
    rest = bytes.subarray(whole)
    if (whole === 0) continue
    if (begun) yield lineBreak
    begun = true
    yield encodeBase64(bytes.subarray(0, whole))
  }
  if (rest.length === 0) return
  if (begun) yield lineBreak
  yield encodeBase64(rest)
}

const lineBreak = Buffer.from('\r\n')
