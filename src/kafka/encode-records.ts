/**
 * Encodes records for kafkajs 2.2.4, which makes a zeroed buffer of 512 bytes for each header of a record and one for the
 * record: with the fifteen headers of an inbound message that was more garbage than the message itself. Here a record is
 * measured, then written once. And the encoder grows without zeroing what it is about to overwrite.
 *
 * The seam: the module that encodes a record is replaced before the module of the produce request asks for it.
 */
import { createRequire } from 'node:module'

type Bytes = Buffer | string | null | undefined

export interface EncodableRecord {
  offsetDelta?: number
  /** Milliseconds. */
  timestampDelta?: number
  key?: Bytes
  value?: Bytes
  headers?: Readonly<Record<string, Bytes | readonly Bytes[]>>
}

/** What the batch's encoder takes: it copies `buffer`, and asks whether `buf` is one. */
export interface EncodedRecord {
  buf: Buffer
  buffer: Buffer
}

interface Encoder {
  buf: Buffer
  offset: number
  ensureAvailable(length: number): void
}

const zigZag = (value: number): number => ((value << 1) ^ (value >> 31)) >>> 0

const sizeOfVarInt = (value: number): number => {
  const bits = 32 - Math.clz32(zigZag(value))
  return bits === 0 ? 1 : Math.ceil(bits / 7)
}

const lengthOf = (bytes: Bytes): number =>
  bytes === null || bytes === undefined ? -1 : typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length

const sizeOf = (length: number): number => sizeOfVarInt(length) + Math.max(0, length)

class Writer {
  readonly bytes: Buffer
  at = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size)
  }

  varInt(value: number): void {
    let rest = zigZag(value)
    while (rest > 0x7f) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.bytes[this.at++] = rest
  }

  content(value: Bytes, length: number): void {
    this.varInt(length)
    if (value === null || value === undefined) return
    if (typeof value === 'string') this.bytes.write(value, this.at)
    else this.bytes.set(value, this.at)
    this.at += length
  }
}

/**
 * One record of a batch (KIP-98, record format v2).
 *
 * @param record `timestampDelta` within 32 bits: records that are written together are not weeks apart
 */
export const encodeRecord = (record: EncodableRecord): EncodedRecord => {
  const { offsetDelta = 0, timestampDelta = 0, key, value, headers = {} } = record
  if (timestampDelta !== (timestampDelta | 0)) throw new RangeError('records are too far apart for one batch')
  const pairs: { name: string; nameLength: number; one: Bytes; length: number }[] = []
  let headerBytes = 0
  for (const name in headers) {
    const values = headers[name]
    const nameLength = Buffer.byteLength(name)
    for (const one of Array.isArray(values) ? (values as readonly Bytes[]) : [values as Bytes]) {
      const length = lengthOf(one)
      pairs.push({ name, nameLength, one, length })
      headerBytes += sizeOf(nameLength) + sizeOf(length)
    }
  }
  const keyLength = lengthOf(key)
  const valueLength = lengthOf(value)
  const attributes = 1
  const size =
    attributes +
    sizeOfVarInt(timestampDelta) +
    sizeOfVarInt(offsetDelta) +
    sizeOf(keyLength) +
    sizeOf(valueLength) +
    sizeOfVarInt(pairs.length) +
    headerBytes
  const writer = new Writer(sizeOfVarInt(size) + size)
  writer.varInt(size)
  writer.bytes[writer.at++] = 0
  writer.varInt(timestampDelta)
  writer.varInt(offsetDelta)
  writer.content(key, keyLength)
  writer.content(value, valueLength)
  writer.varInt(pairs.length)
  for (const { name, nameLength, one, length } of pairs) {
    writer.content(name, nameLength)
    writer.content(one, length)
  }
  return { buf: writer.bytes, buffer: writer.bytes }
}

/** What is beyond `offset` is never read. */
const ensureAvailable = function (this: Encoder, length: number): void {
  const needed = this.offset + length
  if (needed <= this.buf.length) return
  const grown = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(needed + 1)))
  this.buf.copy(grown, 0, 0, this.offset)
  this.buf = grown
}

/** Of the version that package.json pins; a test sees to it that it still takes effect. Once is enough. */
export const encodeRecordsOnce = (): void => {
  const require = createRequire(import.meta.url)
  const path = require.resolve('kafkajs/src/protocol/recordBatch/record/v0')
  require(path)
  const found = require.cache[path]
  if (found !== undefined) found.exports = encodeRecord
  const { prototype } = require('kafkajs/src/protocol/encoder') as { prototype: Encoder }
  prototype.ensureAvailable = ensureAvailable
}
