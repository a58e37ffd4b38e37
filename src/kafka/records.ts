/** The vocabulary of the Kafka layer. Offsets are numbers: a partition would need 2^53 records to outgrow them. */

export interface RecordHeader {
  name: string
  value: Buffer
}

export interface ConsumedRecord {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since the epoch, as the broker or the producer stamped it. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  /** A repeated header keeps its order; between different names the client library loses it. */
  headers: RecordHeader[]
}

export interface OutgoingRecord {
  topic: string
  /** Default: Kafka's partitioner (murmur2 over the key). */
  partition?: number
  key: string | Buffer | null
  value: Buffer | null
  headers?: RecordHeader[]
  /** What is written in its place where the broker finds it too large. */
  insteadWhenTooLarge?: OutgoingRecord
}

/** `topic/partition/offset`, the form that headers, events and errors use. */
export const sourceOf = (record: Pick<ConsumedRecord, 'topic' | 'partition' | 'offset'>): string =>
  `${record.topic}/${record.partition}/${record.offset}`

export const header = (name: string, value: string | number): RecordHeader => ({
  name,
  value: Buffer.from(String(value), 'utf8'),
})

/** Bytes of key, value and headers: nearly what the record takes on the wire. */
export const sizeOf = ({ key, value, headers = [] }: OutgoingRecord): number =>
  (key?.length ?? 0) + (value?.length ?? 0) + headers.reduce((sum, one) => sum + one.name.length + one.value.length, 0)
