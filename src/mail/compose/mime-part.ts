/**
 * The MIME tree of a mail (RFC 2045–2049, 2183, 2387) as a list of pieces in their order: bytes, and objects that are
 * read when their turn comes.
 */
import type { ObjectRef } from '../../avro/records.ts'
import { base64Length, type EncodedContent } from './encode-content.ts'
import { headerField, partFields, type PartFacts, type RootField } from './header-block.ts'

/** Bytes as they are, or an object that becomes base64. */
export type MimePiece = Buffer | { object: ObjectRef }

export interface MimeLeaf extends Omit<PartFacts, 'encoding'> {
  kind: 'leaf'
  content: EncodedContent | { encoding: 'base64'; object: ObjectRef }
}

export interface MimeBranch {
  kind: 'branch'
  contentType: 'multipart/mixed' | 'multipart/alternative' | 'multipart/related; type="text/html"'
  children: readonly MimePart[]
}

export type MimePart = MimeLeaf | MimeBranch

/**
 * @param fields of the whole mail, before those that speak of its content
 * @param randomToken unguessable: a text that contained a boundary would end its own part
 */
export const layOut = (root: MimePart, fields: readonly RootField[], randomToken: () => string): MimePiece[] => {
  const lines = fields.map(headerField).filter((line) => line !== null)
  const boundaries = root.kind === 'leaf' ? noBoundaries : numbered(`=_${randomToken()}`)
  const pieces: MimePiece[] = []
  append(root, [...lines, 'MIME-Version: 1.0', ''].join('\r\n'), boundaries, pieces)
  return pieces
}

const noBoundaries = (): string => ''

const numbered = (prefix: string): (() => string) => {
  let count = 0
  return () => `${prefix}_${(count += 1)}`
}

/** Octets; null: an object's size is not known. */
export const measure = (pieces: readonly MimePiece[]): number | null => {
  let bytes = 0
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) bytes += piece.length
    else if (piece.object.size === null) return null
    else bytes += base64Length(piece.object.size)
  }
  return bytes
}

/** @param before what precedes the fields of the part: a delimiter, or the fields of the whole mail */
const append = (part: MimePart, before: string, boundaries: () => string, pieces: MimePiece[]): void => {
  if (part.kind === 'leaf') {
    const { content } = part
    pieces.push(Buffer.from(`${before}${partFields({ ...part, encoding: content.encoding })}\r\n\r\n`, 'utf8'))
    pieces.push('object' in content ? { object: content.object } : content.content)
    return
  }
  const boundary = boundaries()
  pieces.push(Buffer.from(`${before}Content-Type: ${part.contentType};\r\n boundary="${boundary}"\r\n\r\n`, 'utf8'))
  let delimiter = `--${boundary}\r\n`
  for (const child of part.children) {
    append(child, delimiter, boundaries, pieces)
    delimiter = `\r\n--${boundary}\r\n`
  }
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
}
