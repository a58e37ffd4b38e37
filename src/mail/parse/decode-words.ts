/**
 * Header text: unfolding, encoded words (RFC 2047) and raw 8-bit bytes.
 *
 * Header values travel through the parser as latin1 strings, one character for each byte, until they are decoded
 * here. Adjacent words in one charset are joined as bytes first, because senders cut characters in two.
 */
import { findCharset, guessCharset, utf8, type Charset } from './charset.ts'
import type { DefectLog } from './defects.ts'
import { Base64Decoder } from './base64.ts'

/** A fold and the blanks around it are one space (RFC 5322 2.2.3). */
export const unfold = (raw: string): string => (raw.includes('\n') ? raw.replace(/\r?\n[ \t]*/g, ' ') : raw).trim()

const has8Bit = (text: string): boolean => /[\x80-\xff]/.test(text)

/** Decodes the raw bytes of a header value that says no charset. */
export const decodeRaw = (latin1: string, defects: DefectLog): string => {
  if (!has8Bit(latin1)) return latin1
  const bytes = Buffer.from(latin1, 'latin1')
  const charset = guessCharset(bytes)
  defects.add(
    charset === utf8
      ? 'header value: 8-bit bytes without an encoding; read as UTF-8'
      : 'header value: 8-bit bytes without an encoding; read as windows-1252',
  )
  return charset.decode(bytes)
}

interface Word {
  charset: string
  encoding: 'B' | 'Q'
  text: string
}

/**
 * charset, optionally with a language (RFC 2231 5), encoding, text up to the next `?=`. A few bare question marks in
 * the text are forgiven; the bounds keep hostile text linear.
 */
const wordPattern = /=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([QqBb])\?([^?]*(?:(?<!=)\?(?!=)[^?]{0,100}){0,3})\?=/g

const decodeQ = (text: string): Buffer =>
  Buffer.from(
    text.replace(/_/g, ' ').replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  )

const wordBytes = (encoding: 'B' | 'Q', texts: string[], defects: DefectLog): Buffer => {
  if (encoding === 'Q') return decodeQ(texts.join(''))
  const pieces: Buffer[] = []
  // A word that ends within a group of four goes on in the next ones, if they complete it; else its padding is missing.
  let open: string[] = []
  let length = 0
  const decodeEach = (): void => {
    for (const text of open) pieces.push(decodeB(text, defects))
    open = []
    length = 0
  }
  for (const text of texts) {
    open.push(text)
    length += text.length
    if (length % 4 === 0) open = [open.join('')]
    if (length % 4 === 0 || text.endsWith('=')) decodeEach()
  }
  decodeEach()
  return Buffer.concat(pieces)
}

const decodeB = (text: string, defects: DefectLog): Buffer => {
  const decoder = new Base64Decoder(defects)
  return Buffer.concat([decoder.write(Buffer.from(text, 'latin1')), decoder.end()])
}

const charsetOf = (label: string, bytes: Buffer, defects: DefectLog): Charset => {
  const charset = findCharset(label)
  if (charset === null) {
    defects.add('encoded word: unknown charset; read as UTF-8 or windows-1252')
    return guessCharset(bytes)
  }
  return charset === 'undeclared' ? guessCharset(bytes) : charset
}

const decodeRun = (run: Word[], defects: DefectLog): string => {
  let text = ''
  for (let at = 0; at < run.length;) {
    const first = run[at] as Word
    let end = at + 1
    while (end < run.length && run[end]?.charset === first.charset && run[end]?.encoding === first.encoding) end++
    const texts = run.slice(at, end).map((word) => word.text)
    if (texts.some(has8Bit)) defects.add('encoded word: raw 8-bit bytes inside; read in its charset')
    const bytes = wordBytes(first.encoding, texts, defects)
    text += charsetOf(first.charset, bytes, defects).decode(bytes)
    at = end
  }
  return text
}

/** Decodes unfolded header text; what is no encoded word stays as written. */
export const decodeWords = (latin1: string, defects: DefectLog): string => {
  if (!latin1.includes('=?')) return decodeRaw(latin1, defects)
  let text = ''
  let last = 0
  let run: Word[] = []
  for (const match of latin1.matchAll(wordPattern)) {
    const between = latin1.slice(last, match.index)
    // Blanks between two encoded words are no content (RFC 2047 6.2).
    if (run.length === 0 || /[^ \t\r\n]/.test(between)) {
      text += decodeRun(run, defects) + decodeRaw(between, defects)
      run = []
    }
    run.push({
      charset: (match[1] ?? '').toLowerCase(),
      encoding: match[2] === 'q' || match[2] === 'Q' ? 'Q' : 'B',
      text: match[3] ?? '',
    })
    last = match.index + match[0].length
  }
  const tail = latin1.slice(last)
  if (tail.includes('=?')) defects.add('encoded word: broken; left as written')
  return text + decodeRun(run, defects) + decodeRaw(tail, defects)
}

/** Unfolds and decodes a header value. */
export const decodeHeaderText = (raw: string, defects: DefectLog): string => decodeWords(unfold(raw), defects)
