/** A record as `tail` and `dead-letters` show it. */
import { isUtf8 } from 'node:buffer'
import type { RecordCodec } from '../avro/codec.ts'
import { toPosthornError } from '../errors.ts'
import type { ConsumedRecord, RecordHeader } from '../kafka/records.ts'

/** UTF-8 as it is, anything else as `{ base64 }`. */
type Text = string | { base64: string }

export interface ShownRecord {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since the epoch. */
  timestamp: number
  key: Text | null
  /** A repeated header is a list in its order. */
  headers: Record<string, Text | Text[]>
  /** Decoded; null where there is none or it can't be decoded. */
  value: unknown
  /** Why it can't be decoded. */
  error?: { code: string; message: string }
  /** The value's own bytes, where it can't be decoded or where they are asked for. */
  base64?: string
}

const toText = (bytes: Buffer): Text => (isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') })

const toHeaders = (headers: readonly RecordHeader[]): Record<string, Text | Text[]> => {
  const grouped = new Map<string, Text[]>()
  for (const { name, value } of headers) {
    const values = grouped.get(name)
    if (values === undefined) grouped.set(name, [toText(value)])
    else values.push(toText(value))
  }
  return Object.fromEntries(
    [...grouped].map(([name, [first = '', ...rest]]) => [name, rest.length === 0 ? first : [first, ...rest]]),
  )
}

/** Never fails: a value that can't be decoded comes with the reason and its bytes. */
export const showRecord = async (
  record: ConsumedRecord,
  codec: Pick<RecordCodec, 'decodeAny'>,
  withBytes = false,
): Promise<ShownRecord> => {
  const { topic, partition, offset, timestamp, key, headers, value } = record
  const shown: ShownRecord = {
    topic,
    partition,
    offset,
    timestamp,
    key: key === null ? null : toText(key),
    headers: toHeaders(headers),
    value: null,
  }
  if (value === null) return shown
  const bytes = { base64: value.toString('base64') }
  try {
    shown.value = (await codec.decodeAny(value)).value
    return withBytes ? { ...shown, ...bytes } : shown
  } catch (thrown) {
    const { code, message } = toPosthornError(thrown, 'decode')
    return { ...shown, error: { code, message }, ...bytes }
  }
}
