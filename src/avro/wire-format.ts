/** The two ways in which a record's bytes say which schema their body was written with. Pure. */

import { PosthornError } from '../errors.ts'

/** Avro single-object encoding: C3 01, the schema's fingerprint (8 bytes, little-endian), the body. */
const singleObjectMarker = Buffer.from([0xc3, 0x01])
const fingerprintLength = 8
/** Confluent wire format: 00, the schema's id in the registry (4 bytes, big-endian), the body. */
const confluentMagic = 0x00
const confluentHeaderLength = 5

export type Frame = { bytes: Buffer; bodyStart: number } & (
  | { format: 'single-object'; fingerprint: string }
  | { format: 'confluent'; schemaId: number }
)

export const singleObjectHeader = (fingerprint: string): Buffer =>
  Buffer.concat([singleObjectMarker, Buffer.from(fingerprint, 'hex')])

export const confluentHeader = (schemaId: number): Buffer => {
  const header = Buffer.alloc(confluentHeaderLength, confluentMagic)
  header.writeUInt32BE(schemaId, 1)
  return header
}

const unrecognized = (message: string): PosthornError =>
  new PosthornError('RECORD_UNRECOGNIZED', message, {
    stage: 'decode',
    action: 'Write records in Avro single-object encoding or in the Confluent wire format.',
  })

/**
 * Reads a record's header.
 *
 * @throws PosthornError RECORD_NULL, RECORD_UNRECOGNIZED
 */
export const readFrame = (bytes: Buffer | null): Frame => {
  if (bytes === null) throw new PosthornError('RECORD_NULL', 'the record has no value', { stage: 'decode' })
  if (bytes[0] === singleObjectMarker[0] && bytes[1] === singleObjectMarker[1]) {
    const bodyStart = singleObjectMarker.length + fingerprintLength
    if (bytes.length < bodyStart) throw unrecognized('the record ends within its single-object header')
    const fingerprint = bytes.toString('hex', singleObjectMarker.length, bodyStart)
    return { format: 'single-object', fingerprint, bytes, bodyStart }
  }
  if (bytes[0] === confluentMagic) {
    if (bytes.length < confluentHeaderLength) throw unrecognized('the record ends within its Confluent header')
    return { format: 'confluent', schemaId: bytes.readUInt32BE(1), bytes, bodyStart: confluentHeaderLength }
  }
  throw unrecognized(bytes.length === 0 ? 'the record is empty' : 'the record is not in an Avro encoding known here')
}
