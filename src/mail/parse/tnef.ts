/**
 * The files inside a TNEF attachment (MS-OXTNEF), which Outlook sends as winmail.dat, and the body of the message, which is
 * there besides the one that the mail has, or instead of it. Pure.
 *
 * A stream of attributes, each with its length; those of level 2 belong to the file that the last `attAttachRendData`
 * began. Newer writers repeat them as MAPI properties in `attAttachment`, which know longer names and types.
 */
import { isUtf8 } from 'node:buffer'
import { findCharset, guessCharset, utf8 } from './charset.ts'
import { decompressRtf } from './compressed-rtf.ts'
import { readRtfBody } from './rtf-body.ts'

export interface TnefFile {
  fileName: string | null
  /** As the sender says; null where it doesn't. */
  contentType: string | null
  /** Without angle brackets. */
  contentId: string | null
  content: Buffer
}

export interface TnefBody {
  text: string | null
  html: string | null
}

const signature = 0x223e9f78
const maxFiles = 1000
const maxProperties = 10_000

const maxRtfBytes = 16 * 1024 * 1024

const attOemCodepage = 0x9007
const attBody = 0x800c
const attMapiProps = 0x9003
const attAttachRendData = 0x9002
const attAttachData = 0x800f
const attAttachTitle = 0x8010
const attAttachment = 0x9005

const propertyIds = {
  body: 0x1000,
  rtf: 0x1009,
  html: 0x1013,
  data: 0x3701,
  shortName: 0x3704,
  longName: 0x3707,
  mimeTag: 0x370e,
  contentId: 0x3712,
}

const typeObject = 0x0d
const typeString = 0x1e
const typeUnicode = 0x1f
const typeBinary = 0x102
const multiple = 0x1000
/** Bytes of the types of fixed length, padded to four. */
const fixedLengths = new Map([
  [0x02, 4],
  [0x03, 4],
  [0x04, 4],
  [0x05, 8],
  [0x06, 8],
  [0x07, 8],
  [0x0a, 4],
  [0x0b, 4],
  [0x14, 8],
  [0x40, 8],
  [0x48, 16],
])

class Damaged extends Error {}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number): Buffer {
    if (length > this.left) throw new Damaged()
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  uint16(): number {
    return this.take(2).readUInt16LE()
  }

  uint32(): number {
    return this.take(4).readUInt32LE()
  }

  /** Of a length of its own, padded to four. */
  padded(): Buffer {
    const length = this.uint32()
    const value = this.take(length)
    this.take(Math.min(this.left, -length & 3))
    return value
  }
}

const untilNul = (bytes: Buffer): Buffer => {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

interface Property {
  id: number
  type: number
  value: Buffer
}

/** The properties that have a value of their own length; all others are passed over. */
const readProperties = (bytes: Buffer): Property[] => {
  const reader = new Reader(bytes)
  const properties: Property[] = []
  const count = reader.uint32()
  if (count > maxProperties) throw new Damaged()
  for (let left = count; left > 0; left--) {
    const type = reader.uint16()
    const id = reader.uint16()
    if (id >= 0x8000) {
      reader.take(16)
      if (reader.uint32() === 0) reader.uint32()
      else reader.padded()
    }
    const base = type & ~multiple
    const fixed = fixedLengths.get(base)
    if (fixed !== undefined) {
      reader.take(fixed * ((type & multiple) === 0 ? 1 : reader.uint32()))
      continue
    }
    if (![typeObject, typeString, typeUnicode, typeBinary].includes(base)) throw new Damaged()
    for (let values = reader.uint32(); values > 0; values--) {
      const value = reader.padded()
      if (values === 1 && type === base) properties.push({ id, type, value })
    }
  }
  return properties
}

interface Draft extends Omit<TnefFile, 'content'> {
  title: string | null
  content: Buffer | null
}

type TextOf = (bytes: Buffer) => string

/** The first of the properties `ids` that is text. */
const textProperty = (properties: Property[], textOf: TextOf, ...ids: number[]): string | null => {
  for (const wanted of ids) {
    const found = properties.find(({ id }) => id === wanted)
    if (found?.type === typeUnicode) return found.value.toString('utf16le').replace(/\0.*$/s, '') || null
    if (found?.type === typeString) return textOf(untilNul(found.value)) || null
  }
  return null
}

/** The properties of the message itself; RTF counts where they hold nothing else. */
const bodyOf = (data: Buffer, textOf: TextOf): TnefBody => {
  const properties = readProperties(data)
  const binary = (wanted: number): Buffer | null =>
    properties.find(({ id, type }) => id === wanted && type === typeBinary)?.value ?? null
  const text = textProperty(properties, textOf, propertyIds.body)
  const page = binary(propertyIds.html)
  // Bytes in a code page of their own, mostly UTF-8.
  const html =
    page === null ? textProperty(properties, textOf, propertyIds.html) : isUtf8(page) ? utf8.decode(page) : textOf(page)
  const rtf = binary(propertyIds.rtf)
  if (text !== null || html !== null || rtf === null) return { text, html }
  const read = readRtfBody(decompressRtf(rtf, maxRtfBytes) ?? Buffer.alloc(0))
  return { text: read?.kind === 'text' ? read.body : null, html: read?.kind === 'html' ? read.body : null }
}

const applyProperties = (draft: Draft, properties: Property[], textOf: TextOf): void => {
  const text = (...ids: number[]): string | null => textProperty(properties, textOf, ...ids)
  draft.fileName = text(propertyIds.longName, propertyIds.shortName)
  draft.contentType = text(propertyIds.mimeTag)
  draft.contentId = text(propertyIds.contentId)
  const data = properties.find(({ id }) => id === propertyIds.data)
  if (data?.type === typeBinary) draft.content ??= data.value
  if (data?.type !== typeObject) return
  // An object begins with the id of its interface; what follows is an OLE storage or a message, in TNEF again.
  const content = data.value.subarray(16)
  if (!isTnef(content)) draft.content ??= content
  else {
    draft.content = content
    draft.contentType ??= 'application/ms-tnef'
  }
}

const isTnef = (bytes: Buffer): boolean => bytes.length >= 6 && bytes.readUInt32LE() === signature

/** @returns null for what is no TNEF; `damaged` where its end could not be read */
export const expandTnef = (bytes: Buffer): { files: TnefFile[]; body: TnefBody; damaged: boolean } | null => {
  if (!isTnef(bytes)) return null
  const reader = new Reader(bytes)
  reader.take(6)
  const drafts: Draft[] = []
  const body: TnefBody = { text: null, html: null }
  let codePage = ''
  let damaged = false
  const textOf: TextOf = (text) => {
    const charset = findCharset(codePage)
    return (charset === null || charset === 'undeclared' ? guessCharset(text) : charset).decode(text)
  }
  /** What is odd in them costs no file that comes behind. */
  const readBody = (data: Buffer): void => {
    try {
      const { text, html } = bodyOf(data, textOf)
      body.text ??= text
      body.html ??= html
    } catch (error) {
      if (!(error instanceof Damaged)) throw error
      damaged = true
    }
  }
  try {
    while (reader.left > 0) {
      const level = reader.take(1)[0]
      const id = reader.uint32() & 0xffff
      const data = reader.take(reader.uint32())
      reader.take(2)
      if (id === attOemCodepage && data.length >= 4) codePage = `cp${data.readUInt32LE()}`
      if (id === attBody) body.text = textOf(untilNul(data)) || null
      if (id === attMapiProps) readBody(data)
      if (level !== 2) continue
      if (id === attAttachRendData) {
        if (drafts.length >= maxFiles) throw new Damaged()
        drafts.push({ fileName: null, title: null, contentType: null, contentId: null, content: null })
      }
      const draft = drafts.at(-1)
      if (draft === undefined) continue
      if (id === attAttachTitle) draft.title = textOf(untilNul(data)) || null
      if (id === attAttachData) draft.content = data
      if (id === attAttachment) applyProperties(draft, readProperties(data), textOf)
    }
  } catch (error) {
    if (!(error instanceof Damaged)) throw error
    damaged = true
  }
  const files = drafts.flatMap(({ title, fileName, content, ...rest }) =>
    content === null ? [] : [{ ...rest, fileName: fileName ?? title, content }],
  )
  return { files, body, damaged }
}
