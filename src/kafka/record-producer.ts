/**
 * Writes records for programs and the command line: idempotent, acknowledged by all in-sync replicas, in order.
 *
 * kafkajs 2.2.4 rolls its sequence numbers back when a response is lost, so a second send in flight could take the same
 * numbers and be dropped by the broker as a duplicate, though acknowledged. Hence one `sendBatch` at a time, and after
 * any error a new producer. An error other than `RECORD_TOO_LARGE` leaves open whether the records were written.
 *
 * Sends that come while one is under way share the next batch.
 */
import type { Kafka, Producer } from 'kafkajs'
import type { PosthornError } from '../errors.ts'
import { classifyKafkaError } from './classify-kafka-error.ts'
import type { OutgoingRecord } from './records.ts'
import { toTopicMessages } from './topic-messages.ts'

export interface RecordProducer {
  /** Resolves when every record is acknowledged. @throws PosthornError, all records of this call in doubt */
  send(records: readonly OutgoingRecord[]): Promise<void>
  /** Waits for what is under way. */
  close(): Promise<void>
}

interface Pending {
  records: readonly OutgoingRecord[]
  bytes: number
  resolve(): void
  reject(error: PosthornError): void
}

/** Below the broker's default limit of one record batch (1 MiB), so that sharing never makes a batch too large. */
const sharedBatchBytes = 512 * 1_024
const maxSharedRecords = 1_000

const sizeOf = (records: readonly OutgoingRecord[]): number => {
  let bytes = 0
  for (const { key, value, headers } of records) {
    bytes += Buffer.byteLength(key ?? '') + (value?.length ?? 0) + 64
    for (const { name, value } of headers ?? []) bytes += Buffer.byteLength(name) + value.length
  }
  return bytes
}

class SerialProducer implements RecordProducer {
  readonly #kafka: Pick<Kafka, 'producer'>
  #producer: Producer | null = null
  #pending: Pending[] = []
  #running: Promise<void> | null = null

  constructor(kafka: Pick<Kafka, 'producer'>) {
    this.#kafka = kafka
  }

  send(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#pending.push({ records, bytes: sizeOf(records), resolve, reject })
      this.#running ??= this.#run()
    })
  }

  async close(): Promise<void> {
    await this.#running
    await this.#discard()
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) await this.#write(this.#takeBatch())
    this.#running = null
  }

  #takeBatch(): Pending[] {
    let bytes = 0
    let records = 0
    const end = this.#pending.findIndex((one, index) => {
      bytes += one.bytes
      records += one.records.length
      return index > 0 && (bytes > sharedBatchBytes || records > maxSharedRecords)
    })
    return this.#pending.splice(0, end === -1 ? this.#pending.length : end)
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    try {
      const producer = await this.#open()
      const topicMessages = toTopicMessages(batch.flatMap(({ records }) => records))
      await producer.sendBatch({ topicMessages, acks: -1 })
    } catch (cause) {
      await this.#discard()
      const error = classifyKafkaError(cause, 'publish')
      if (error.code === 'RECORD_TOO_LARGE' && batch.length > 1) {
        // Finds the one that is; the others may be written twice, which a request's id makes harmless.
        for (const one of batch) await this.#write([one])
        return
      }
      for (const { reject } of batch) reject(error)
      return
    }
    for (const { resolve } of batch) resolve()
  }

  async #open(): Promise<Producer> {
    if (this.#producer !== null) return this.#producer
    const producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
    })
    this.#producer = producer
    await producer.connect()
    return producer
  }

  async #discard(): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.disconnect().catch(() => undefined)
  }
}

/** Connects with the first send. */
export const createRecordProducer = (kafka: Pick<Kafka, 'producer'>): RecordProducer => new SerialProducer(kafka)
