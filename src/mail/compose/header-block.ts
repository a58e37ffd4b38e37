/**
 * Header fields of a mail and of its parts (RFC 5322 2.2, RFC 2045, 2047, 2183, 2231) (pure). nodemailer writes what
 * takes care: encoded words, quoted names, parameters, folding. A field that is plain ASCII and fits a line needs none of
 * it and is written here: the same text in a fraction of the time, which is most of what composing a short mail costs.
 */
import { foldLines } from 'nodemailer/lib/mime-funcs'
import MimeNode from 'nodemailer/lib/mime-node'

import type { TransferEncoding } from './encode-content.ts'

/** Header field of the whole mail; a mailbox list as objects. */
export interface RootField {
  key: string
  value: string | { name: string; address: string }[]
}

/** What the header of a part says. Null: nothing. */
export interface PartFacts {
  contentType: string
  encoding: TransferEncoding
  fileName: string | null
  /** Without angle brackets. */
  contentId: string | null
  disposition: 'inline' | 'attachment' | null
}

/** Nothing is read because a request names it. */
const closed = { disableFileAccess: true, disableUrlAccess: true }
/** Only parents of other nodes; also for what is encoded without one. */
const encoder = new MimeNode(false, { ...closed, baseBoundary: 'none' })

/** RFC 5322 2.1.1 recommends 78; nodemailer folds before. */
const lineLength = 76
/** Of a parameter. */
const sectionLength = 60
const plainText = /^[!-~](?:[ -~]*[!-~])?$/
const idKeys = new Set(['Message-ID', 'In-Reply-To', 'References'])
const plainIds = /^<[!-;=?-~]+>(?: <[!-;=?-~]+>)*$/
const plainName = /^\w+(?: \w+)*$/
/** The end excludes addresses of IPv4, which a URL parser would rewrite. */
const plainAddress = /^[\w+-]+(?:\.[\w+-]+)*@(?:[a-z0-9-]+\.)+[a-z]{2,}$/

/** Written by nodemailer as they are. */
const plainTypes = new Set(['text/plain; charset=utf-8', 'text/html; charset=utf-8'])

/** Null: not plain. */
const plainMailbox = ({ name, address }: { name: string; address: string }): string | null => {
  if (!plainAddress.test(address) || address.includes('xn--')) return null
  if (name === '') return address
  return plainName.test(name) ? `${name} <${address}>` : null
}

const plainValue = ({ key, value }: RootField): string | null => {
  if (typeof value !== 'string') {
    const mailboxes = value.map(plainMailbox)
    return mailboxes.includes(null) ? null : mailboxes.join(', ')
  }
  const pattern = idKeys.has(key) ? plainIds : plainText
  return pattern.test(value) && !value.includes('"') && !value.includes('=?') ? value : null
}

/** @returns the field without the line break at its end; null: its value is empty and it is left out */
export const headerField = (field: RootField): string | null => {
  const { key, value } = field
  const plain = plainValue(field)
  if (plain !== null && key.length + 2 + plain.length < lineLength) return `${key}: ${plain}`
  const encoded = encoder.encodeHeaderValue(key, value)
  return encoded.trim() === '' ? null : foldLines(`${key}: ${encoded}`, lineLength)
}

/** In a quoted string these are read in more than one way: as its end, as an escape or none, as an encoded word. */
const ambiguousName = /[\\";<>]|=\?/

/** A file name in sections that any reader of RFC 2231 reads in one way: percent-encoded but for letters and digits. */
const extendedName = (name: string): string => {
  const sections: string[] = []
  let section = "utf-8''"
  // Some readers decode each section by itself: no character is cut in two.
  for (const char of name) {
    const encoded = /[A-Za-z0-9._-]/.test(char) ? char : percentEncoded(char)
    if (section.length + encoded.length > sectionLength) {
      sections.push(section)
      section = ''
    }
    section += encoded
  }
  return [...sections, section].map((text, at) => `;\r\n filename*${at}*=${text}`).join('')
}

const percentEncoded = (char: string): string =>
  Array.from(Buffer.from(char), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')

/** @returns the fields that speak of a part's content, joined */
export const partFields = ({ contentType, encoding, fileName, contentId, disposition }: PartFacts): string => {
  if (plainTypes.has(contentType) && fileName === null && contentId === null && disposition === null) {
    return `Content-Type: ${contentType}\r\nContent-Transfer-Encoding: ${encoding}`
  }
  const name = fileName === null ? {} : { filename: fileName }
  const node = new MimeNode(contentType, { ...closed, ...name, rootNode: encoder, parentNode: encoder })
  node.setHeader('Content-Transfer-Encoding', encoding)
  if (disposition !== null && fileName !== null && ambiguousName.test(fileName)) {
    node.setHeader('Content-Disposition', { prepared: true, value: `${disposition}${extendedName(fileName)}` })
  } else if (disposition !== null) {
    node.setHeader('Content-Disposition', disposition)
  }
  if (contentId !== null) node.setHeader('Content-ID', `<${contentId}>`)
  return node.buildHeaders()
}
