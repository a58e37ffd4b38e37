/**
 * Which records of a topic somebody has dealt with: the committed offsets of a group that nobody joins, what is handled
 * beyond them in the metadata, as the workers keep it (`offset-tracker.ts`). Nothing is written to the topic
 * itself, and Kafka's own tools show as the group's lag how much is left.
 */
import type { Kafka, Producer } from 'kafkajs'
import { PosthornError } from '../errors.ts'
import { classifyKafkaError } from './classify-kafka-error.ts'
import { decodeSettled, encodeSettled, maxRuns, type Committable } from './offset-tracker.ts'
import type { OutgoingRecord } from './records.ts'
import { toTopicMessages } from './topic-messages.ts'
import { sendOffsets } from './transaction-offsets.ts'

/** By partition. */
export type HandledPositions = ReadonlyMap<number, Committable>

export interface HandledOffsets {
  /** A partition that is missing: nothing of it is handled. @throws PosthornError */
  read(): Promise<HandledPositions>
  /** Publishes records and remembers positions, both or neither. @throws PosthornError */
  commit(positions: HandledPositions, records: readonly OutgoingRecord[]): Promise<void>
  close(): Promise<void>
}

/** A worker may forget some and do them again; here that would replay them twice. */
const assertFits = (topic: string, { settled }: Committable): void => {
  if (settled.length <= maxRuns) return
  const message = `more than ${maxRuns} stretches of ${topic} are dealt with between open ones, which can't be kept in mind`
  throw new PosthornError('USAGE_INVALID', message, { stage: 'publish', action: 'Deal with the oldest ones first.' })
}

class CommittedHandledOffsets implements HandledOffsets {
  readonly #kafka: Kafka
  readonly #topic: string
  readonly #groupId: string
  #producer: Producer | null = null

  constructor(kafka: Kafka, topic: string, groupId: string) {
    this.#kafka = kafka
    this.#topic = topic
    this.#groupId = groupId
  }

  async read(): Promise<HandledPositions> {
    const admin = this.#kafka.admin()
    try {
      await admin.connect()
      const [fetched] = await admin.fetchOffsets({ groupId: this.#groupId, topics: [this.#topic] })
      return new Map(
        (fetched?.partitions ?? [])
          .map(({ partition, offset, metadata }) => [partition, decodeSettled(Number(offset), metadata ?? '')] as const)
          .filter(([, { offset }]) => offset >= 0),
      )
    } catch (error) {
      throw classifyKafkaError(error, 'start')
    } finally {
      await admin.disconnect()
    }
  }

  async commit(positions: HandledPositions, records: readonly OutgoingRecord[]): Promise<void> {
    for (const position of positions.values()) assertFits(this.#topic, position)
    const partitions = [...positions].map(([partition, position]) => {
      return { partition, offset: String(position.offset), metadata: encodeSettled(position) }
    })
    try {
      const transaction = await (await this.#open()).transaction()
      if (records.length > 0) await transaction.sendBatch({ topicMessages: toTopicMessages(records), acks: -1 })
      await sendOffsets(transaction, { consumerGroupId: this.#groupId, topics: [{ topic: this.#topic, partitions }] })
      await transaction.commit()
    } catch (error) {
      // What it had open is settled by the next one under the same transactional id, or by the broker in time.
      await this.close()
      throw classifyKafkaError(error, 'publish')
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.disconnect().catch(() => undefined)
  }

  async #open(): Promise<Producer> {
    if (this.#producer !== null) return this.#producer
    const producer = this.#kafka.producer({
      transactionalId: this.#groupId,
      maxInFlightRequests: 1,
      idempotent: true,
      allowAutoTopicCreation: false,
    })
    this.#producer = producer
    await producer.connect()
    return producer
  }
}

/** @param groupId also the transactional id: of two who work on the topic at once, the later one wins */
export const createHandledOffsets = (kafka: Kafka, topic: string, groupId: string): HandledOffsets =>
  new CommittedHandledOffsets(kafka, topic, groupId)
