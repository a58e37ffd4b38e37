/** One record's schema, ready to write and to read. Values are exactly the types of `records.ts`. */

import { isPosthornError, PosthornError } from '../errors.ts'
import { fingerprintOfType, parseRecordType, type RecordType } from './avro-type.ts'
import { invalidValue } from './invalid-value.ts'
import { recordUnions, unwrapUnions, wrapUnions } from './record-unions.ts'
import type { RecordName } from './records.ts'
import { compileVerifier } from './verify-body.ts'
import { singleObjectHeader } from './wire-format.ts'

/**
 * Reads the body that begins at `start` and ends with the bytes. The value shares no memory with them, so that it
 * does not keep a fetched batch alive. Throws RECORD_UNDECODABLE.
 */
export type ReadBody = (bytes: Buffer, start: number) => unknown

export interface RecordSchema {
  readonly name: RecordName
  /** The .avsc file's content. */
  readonly json: string
  /** CRC-64-AVRO in hex, in the order of a single-object header. */
  readonly fingerprint: string
  readonly singleObjectHeader: Buffer
  /**
   * Header and body in one buffer. With `strict`, fields that the record does not have are refused.
   *
   * @throws PosthornError RECORD_INVALID
   */
  write(header: Buffer, value: unknown, options: { strict: boolean }): Buffer
  /**
   * A reader of what was written with another schema of this record (Avro specification, "Schema Resolution").
   *
   * @throws Error, with avsc's reason, where the two can't be resolved.
   */
  readerOf(writer: RecordType): ReadBody
}

/** Records of up to so many bytes are written without measuring them first. */
const scratchLength = 64 * 1024

/** A copy whose text has U+FFFD in the place of unpaired surrogates, which UTF-8 can't express. */
const wellFormed = (value: unknown): unknown => {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('utf8')
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [wellFormed(key), wellFormed(inner)]))
}

/** @throws Error where the content is not an Avro record. */
export const compileRecord = (name: RecordName, json: string): RecordSchema => {
  const type = parseRecordType(JSON.parse(json))
  const fingerprint = fingerprintOfType(type)
  const unions = recordUnions(type)
  const verify = compileVerifier(type)
  const scratch = Buffer.allocUnsafeSlow(scratchLength)

  const encode = (header: Buffer, value: unknown): Buffer => {
    // Negative: by so many bytes the scratch buffer is too short.
    const end = type.encode(value, scratch, header.length)
    const bytes = Buffer.allocUnsafe(end < 0 ? scratch.length - end : end)
    if (end < 0) type.encode(value, bytes, header.length)
    else scratch.copy(bytes, 0, 0, end)
    header.copy(bytes)
    return bytes
  }

  /** Written bytes are verified like read ones: avsc can write text that is not UTF-8. */
  const attempt = (header: Buffer, value: unknown): Buffer | PosthornError => {
    try {
      const bytes = encode(header, value)
      verify(bytes, header.length)
      return bytes
    } catch (error) {
      // avsc's own message quotes the value.
      const why = isPosthornError(error) ? error.message : 'it does not fit the schema'
      return new PosthornError('RECORD_INVALID', `this ${name} can't be written: ${why}`, { stage: 'validate' })
    }
  }

  const write: RecordSchema['write'] = (header, value, { strict }) => {
    const wrapped = typeof value === 'object' && value !== null ? wrapUnions(name, value, unions) : value
    const refusal = strict ? invalidValue(name, type, wrapped, true) : null
    if (refusal !== null) throw refusal
    const first = attempt(header, wrapped)
    if (Buffer.isBuffer(first)) return first
    const second = attempt(header, wellFormed(wrapped))
    if (Buffer.isBuffer(second)) return second
    throw invalidValue(name, type, wrapped, false) ?? second
  }

  const readerOf: RecordSchema['readerOf'] = (writer) => {
    const resolver = type.createResolver(writer)
    const verifyWritten = compileVerifier(writer)
    return (bytes, start) => {
      verifyWritten(bytes, start)
      return unwrapUnions(type.decode(bytes, start, resolver).value, unions)
    }
  }

  return { name, json, fingerprint, singleObjectHeader: singleObjectHeader(fingerprint), write, readerOf }
}
