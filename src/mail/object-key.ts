/**
 * Names of the objects that a received message becomes: `<prefix>/<account>/<folder>/<uidValidity>/<uid>/<name>`.
 * Pure.
 *
 * The same message always yields the same keys, so that a repeat overwrites the same bytes, and two messages never
 * share one. Nothing from a mail can leave the message's own prefix: of a mail's own words only the attachment's file
 * name gets in, after its index and without any character that means something to a path, a header or a terminal.
 *
 * Each part stays within 240 bytes, because stores that keep objects as files allow 255; a key stays within the 1,024
 * bytes of S3.
 */

import { createHash } from 'node:crypto'

/** Where a message lies (RFC 3501 2.3.1.1: never changes, never means another message). */
export interface MessagePlace {
  readonly account: string
  readonly folder: string
  readonly uidValidity: number | bigint
  readonly uid: number
}

const longestPart = 240
const longestName = 200
const longestExtension = 16

const hexByte = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`

/** UTF-8 of one code point; lone surrogates by the same rule, so that two different names never become one. */
const utf8 = (character: string): number[] => {
  const code = character.codePointAt(0) ?? 0
  if (code < 0xd800 || code > 0xdfff) return [...Buffer.from(character)]
  return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
}

/**
 * A part of a key that stands for `text` and for nothing else: percent-encoded UTF-8 outside `A-Za-z0-9._-`, `.` and
 * `..` encoded too. One that would be longer than 240 bytes is cut and ends in `~` (which no other contains) and a hash.
 */
export const escapeKeyPart = (text: string): string => {
  if (text === '.' || text === '..') return text.replaceAll('.', '%2E')
  const escaped = Array.from(text, (character) =>
    /[A-Za-z0-9._-]/.test(character) ? character : utf8(character).map(hexByte).join(''),
  ).join('')
  if (escaped.length <= longestPart) return escaped
  const hash = createHash('sha256').update(escaped).digest('hex').slice(0, 32)
  return `${escaped.slice(0, longestPart - hash.length - 1)}~${hash}`
}

/** Of whole characters, no longer than `bytes` in UTF-8. */
const cutToBytes = (text: string, bytes: number): string => {
  let length = 0
  let cut = ''
  for (const character of text) {
    length += Buffer.byteLength(character)
    if (length > bytes) break
    cut += character
  }
  return cut
}

/**
 * A file name that is one part of a path, whatever the mail said: the last part of it, letters, digits and `. _ -`
 * kept, any run of others one `_`, at most 200 bytes with the extension kept. Never empty, never only dots.
 */
export const safeFileName = (fileName: string | null): string => {
  // A far longer name can't be told from its beginning and its end, and must not cost time.
  const bounded =
    fileName !== null && fileName.length > 2000 ? `${fileName.slice(0, 1000)}_${fileName.slice(-64)}` : fileName
  const last = (bounded ?? '').split(/[/\\]/).findLast((part) => /[\p{L}\p{N}]/u.test(part)) ?? ''
  const kept = last
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{M}\p{N}._-]+/gu, '_')
    .replaceAll(/^[._]+|[._]+$/g, '')
  if (kept === '') return 'attachment'
  if (Buffer.byteLength(kept) <= longestName) return kept
  const dot = kept.lastIndexOf('.')
  const extension = dot > 0 && kept.length - dot <= longestExtension ? kept.slice(dot) : ''
  return cutToBytes(kept, longestName - Buffer.byteLength(extension)) + extension
}

const objectKey = (prefix: string, place: MessagePlace, name: string): string =>
  [prefix, escapeKeyPart(place.account), escapeKeyPart(place.folder), place.uidValidity, place.uid, name]
    .filter((part) => part !== '')
    .join('/')

/** @param prefix `storage.prefix`; may be empty. */
export const attachmentKey = (
  prefix: string,
  place: MessagePlace,
  attachment: { readonly index: number; readonly fileName: string | null },
): string => objectKey(prefix, place, `${attachment.index}-${safeFileName(attachment.fileName)}`)

/** The message as received. Begins with no digit, and so is never an attachment's. */
export const rawMessageKey = (prefix: string, place: MessagePlace): string => objectKey(prefix, place, 'raw.eml')

/** A body too large for the record. */
export const bodyKey = (prefix: string, place: MessagePlace, body: 'text' | 'html'): string =>
  objectKey(prefix, place, body === 'text' ? 'body.txt' : 'body.html')
