/** What an object carries of its attachment, made safe for HTTP headers. Pure. */

import { safeFileName } from './object-key.ts'

const longestContentType = 255
const longestFileName = 255

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const mediaType = new RegExp(`^${token}/${token}(?:[ \\t]*;[\\x20-\\x7e]*)?$`)
const bareMediaType = new RegExp(`^${token}/${token}`)

/**
 * The content type exactly as given where a header can hold it (RFC 9110 8.3); else its type and subtype, else
 * `application/octet-stream`.
 */
export const safeContentType = (contentType: string): string => {
  if (contentType.length <= longestContentType && mediaType.test(contentType)) return contentType
  const bare = bareMediaType.exec(contentType.slice(0, longestContentType))?.[0]
  return bare ?? 'application/octet-stream'
}

/** RFC 8187 3.2.1: everything but `attr-char`. */
const extendedValue = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** Control characters, and those that reorder what is shown, are no part of a name; lone surrogates have no UTF-8. */
const withoutControls = (text: string): string =>
  text.replaceAll(/[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/gu, '')

/** For clients that don't know `filename*` (RFC 6266 appendix D). */
const asciiOnly = (name: string): string =>
  name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')

/**
 * `Content-Disposition` with the original name (RFC 6266 4.1): always `attachment`, so that no browser runs what a
 * stranger sent. A name beyond 255 characters is cut.
 */
export const contentDisposition = (fileName: string | null): string => {
  const original = withoutControls(fileName ?? '')
  const name = Array.from(original.slice(0, longestFileName * 2))
    .slice(0, longestFileName)
    .join('')
  if (name === '') return 'attachment'
  const isPlain = /^[ !#$&-.0-9:-[\]-~]+$/.test(name)
  const plain = isPlain ? name : asciiOnly(safeFileName(name))
  if (plain === name) return `attachment; filename="${plain}"`
  return `attachment; filename="${plain}"; filename*=UTF-8''${extendedValue(withoutControls(name))}`
}
