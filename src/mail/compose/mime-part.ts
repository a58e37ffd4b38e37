/**
 * The MIME tree of a mail (RFC 2045–2049, 2183, 2387) as a list of pieces in their order: bytes, and objects that are
 * read when their turn comes. nodemailer's `MimeNode` writes the header blocks: encoded words, parameters (RFC 2231),
 * folding. The bodies are encoded here, because a mail without streams is then made in one go.
 */
import MimeNode from 'nodemailer/lib/mime-node'

import type { ObjectRef } from '../../avro/records.ts'
import { base64Length, type EncodedContent, type TransferEncoding } from './encode-content.ts'

/** Bytes as they are, or an object that becomes base64. */
export type MimePiece = Buffer | { object: ObjectRef }

export interface MimeLeaf {
  kind: 'leaf'
  contentType: string
  /** Null: it has no name. */
  fileName: string | null
  contentId: string | null
  disposition: 'inline' | 'attachment' | null
  content: EncodedContent | { encoding: 'base64'; object: ObjectRef }
}

export interface MimeBranch {
  kind: 'branch'
  contentType: 'multipart/mixed' | 'multipart/alternative' | 'multipart/related; type="text/html"'
  children: readonly MimePart[]
}

export type MimePart = MimeLeaf | MimeBranch

/** Header field of the whole mail, in order; a mailbox list as objects. */
export interface RootField {
  key: string
  value: string | { name: string; address: string }[]
}

/**
 * @param boundary of the whole mail, unguessable: a text that contained it would end its own part
 * @param fields of the whole mail, before those that speak of its content
 */
export const layOut = (root: MimePart, fields: readonly RootField[], boundary: string): MimePiece[] => {
  const pieces: MimePiece[] = []
  const written = new Map(fields.map(({ key }) => [key.toLowerCase(), key]))
  const node = new MimeNode(root.contentType, {
    ...closed,
    baseBoundary: boundary,
    // Names stay as the request wrote them.
    normalizeHeaderKey: (key) => written.get(key.toLowerCase()) ?? key,
  })
  for (const { key, value } of fields) node.setHeader(key, value)
  append(root, node, pieces)
  return pieces
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

/** Nothing is read because a request names it. */
const closed = { disableFileAccess: true, disableUrlAccess: true }

const append = (part: MimePart, node: MimeNode, pieces: MimePiece[]): void => {
  if (part.kind === 'leaf') {
    describe(part, node)
    pieces.push(Buffer.from(`${node.buildHeaders()}\r\n\r\n`, 'utf8'))
    pieces.push('object' in part.content ? { object: part.content.object } : part.content.content)
    return
  }
  pieces.push(Buffer.from(`${node.buildHeaders()}\r\n\r\n`, 'utf8'))
  // `buildHeaders` has made the boundary.
  const boundary = String(node.boundary)
  let separator = `--${boundary}\r\n`
  for (const child of part.children) {
    pieces.push(Buffer.from(separator, 'latin1'))
    const name = child.kind === 'leaf' ? child.fileName : null
    const childNode = node.createChild(child.contentType, name === null ? closed : { ...closed, filename: name })
    append(child, childNode, pieces)
    separator = `\r\n--${boundary}\r\n`
  }
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
}

const describe = ({ contentId, disposition, content }: MimeLeaf, node: MimeNode): void => {
  const encoding: TransferEncoding = content.encoding
  node.setHeader('Content-Transfer-Encoding', encoding)
  if (disposition !== null) node.setHeader('Content-Disposition', disposition)
  if (contentId !== null) node.setHeader('Content-ID', `<${contentId}>`)
}
