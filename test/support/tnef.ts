/** Writes TNEF (MS-OXTNEF) as Outlook does: old attributes, and MAPI properties that say more. */

const attribute = (level: 1 | 2, id: number, data: Buffer): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUInt8(level, 0)
  head.writeUInt32LE(0x00060000 | id, 1)
  head.writeUInt32LE(data.length, 5)
  const sum = data.reduce((total, byte) => (total + byte) & 0xffff, 0)
  return Buffer.concat([head, data, Buffer.from([sum & 0xff, sum >> 8])])
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const property = (type: number, id: number, value: Buffer): Buffer => {
  const head = Buffer.concat([Buffer.from([type & 0xff, type >> 8, id & 0xff, id >> 8]), uint32(1)])
  return Buffer.concat([head, uint32(value.length), value, Buffer.alloc(-value.length & 3)])
}

/** A property of fixed length that nobody asks for. */
const flag = Buffer.from([0x03, 0x00, 0x14, 0x37, 1, 0, 0, 0])

export interface FileOfTnef {
  /** In windows-1252. */
  title: string
  longName?: string
  mimeTag?: string
  contentId?: string
  content: Buffer
  /** As `PR_ATTACH_DATA_OBJ` instead of `attAttachData`. */
  isObject?: boolean
}

export interface BodyOfTnef {
  /** In windows-1252, as the old attribute. */
  text?: string
  html?: string
  /** Compressed or not, with its header. */
  rtf?: Buffer
}

export const tnefWith = (files: FileOfTnef[], body: BodyOfTnef = {}): Buffer => {
  const parts: Buffer[] = [
    Buffer.from([0x78, 0x9f, 0x3e, 0x22, 1, 0]),
    attribute(1, 0x9007, Buffer.concat([uint32(1252), uint32(0)])),
  ]
  const { text, html, rtf } = body
  if (text !== undefined) parts.push(attribute(1, 0x800c, Buffer.from(`${text}\0`, 'latin1')))
  const ofMessage: Buffer[] = [flag]
  if (html !== undefined) ofMessage.push(property(0x102, 0x1013, Buffer.from(html)))
  if (rtf !== undefined) ofMessage.push(property(0x102, 0x1009, rtf))
  if (ofMessage.length > 1) parts.push(attribute(1, 0x9003, Buffer.concat([uint32(ofMessage.length), ...ofMessage])))
  for (const { title, longName, mimeTag, contentId, content, isObject = false } of files) {
    parts.push(attribute(2, 0x9002, Buffer.alloc(14)))
    parts.push(attribute(2, 0x8010, Buffer.concat([Buffer.from(title, 'latin1'), Buffer.from([0])])))
    if (!isObject) parts.push(attribute(2, 0x800f, content))
    const properties: Buffer[] = [flag]
    if (longName !== undefined) properties.push(property(0x1f, 0x3707, Buffer.from(`${longName}\0`, 'utf16le')))
    if (mimeTag !== undefined) properties.push(property(0x1e, 0x370e, Buffer.from(`${mimeTag}\0`)))
    if (contentId !== undefined) properties.push(property(0x1f, 0x3712, Buffer.from(`${contentId}\0`, 'utf16le')))
    if (isObject) properties.push(property(0x0d, 0x3701, Buffer.concat([Buffer.alloc(16, 7), content])))
    parts.push(attribute(2, 0x9005, Buffer.concat([uint32(properties.length), ...properties])))
  }
  return Buffer.concat(parts)
}
