/**
 * Reads one topic as a person or a tool does: committed records only, nobody else's group disturbed, nothing committed.
 *
 * Offsets are taken when the reader is opened, so what is written afterwards is never missed however long joining the
 * group takes, and "until the end" means that moment. The end is the last stable offset (the admin client asks at
 * read_committed): behind it there is nothing that a committed reader could get, so no open transaction holds it up.
 *
 * kafkajs never delivers control records or those of aborted transactions. Progress is therefore read from its
 * END_BATCH_PROCESS events, whose `lastOffset` counts them, and not from the records that arrive.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Readable } from 'node:stream'
import type { Admin, Consumer, Kafka } from 'kafkajs'
import { PosthornError } from '../errors.ts'
import { classifyKafkaError } from './classify-kafka-error.ts'
import type { ConsumedRecord } from './records.ts'
import { fromKafkaMessage } from './topic-messages.ts'

export interface TopicReaderOptions {
  kafka: Kafka
  topic: string
  /** Start of the name of the consumer group, which lives only as long as the reader. */
  groupPrefix: string
  from: 'beginning' | 'latest'
  /** True: the records end with what is there now. False: they go on until `close` or the signal. */
  untilEnd: boolean
  signal?: AbortSignal
}

const offsetAttempts = 50
const joinAttempts = 50
const offsetPauseMs = 100

/** Records that wait for the reader's user before the broker is asked for no more. */
const bufferedRecords = 500

interface Span {
  next: number
  end: number
}

/** A leader may be moving, and a new topic's leader may not act as one yet: kafkajs gives up on that at once. */
const fetchOffsets = async (admin: Admin, topic: string): ReturnType<Admin['fetchTopicOffsets']> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await admin.fetchTopicOffsets(topic)
    } catch (error) {
      if (!classifyKafkaError(error, 'start').retryable || attempt === offsetAttempts) throw error
      await delay(offsetPauseMs)
    }
  }
}

const fetchSpans = async (admin: Admin, { topic, from, untilEnd }: TopicReaderOptions): Promise<Map<number, Span>> => {
  await admin.connect()
  if (!(await admin.listTopics()).includes(topic)) {
    throw new PosthornError('KAFKA_TOPIC_UNSUITABLE', `topic ${topic} does not exist`, {
      stage: 'start',
      action: 'Check the name; posthorn topics create makes the topics of the configuration.',
    })
  }
  const offsets = await fetchOffsets(admin, topic)
  return new Map(
    offsets.map(({ partition, low, high }) => [
      partition,
      { next: Number(from === 'beginning' ? low : high), end: untilEnd ? Number(high) : Number.POSITIVE_INFINITY },
    ]),
  )
}

export class TopicReader implements AsyncIterable<ConsumedRecord> {
  readonly #options: TopicReaderOptions
  readonly #admin: Admin
  readonly #consumer: Consumer
  readonly #groupId: string
  readonly #spans: Map<number, Span>
  readonly #buffer: Readable
  readonly #starting: Promise<void>
  readonly #onAbort = (): void => this.#finish()
  #isPaused = false
  #failedJoins = 0
  #isFinished = false
  #closing: Promise<void> | null = null

  private constructor(options: TopicReaderOptions, admin: Admin, spans: Map<number, Span>) {
    this.#options = options
    this.#admin = admin
    this.#spans = spans
    this.#groupId = `${options.groupPrefix}.reader.${randomUUID()}`
    this.#buffer = new Readable({ objectMode: true, highWaterMark: bufferedRecords, read: () => this.#resume() })
    // An error is thrown to whoever iterates; nobody may be iterating yet.
    this.#buffer.on('error', () => undefined)
    this.#consumer = options.kafka.consumer({
      groupId: this.#groupId,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 500,
      readUncommitted: false,
      retry: { restartOnFailure: async (error) => this.#mayJoinAgain(error) },
    })
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (this.#isAtEnd || options.signal?.aborted === true) this.#finish()
    this.#starting = this.#isFinished ? Promise.resolve() : this.#start()
  }

  /**
   * Resolves when the positions are fixed: nothing that is written from now on will be missed.
   *
   * @throws PosthornError `KAFKA_TOPIC_UNSUITABLE` when there is no such topic, or why Kafka can't be reached
   */
  static async open(options: TopicReaderOptions): Promise<TopicReader> {
    const admin = options.kafka.admin()
    try {
      return new TopicReader(options, admin, await fetchSpans(admin, options))
    } catch (error) {
      await admin.disconnect().catch(() => undefined)
      throw classifyKafkaError(error, 'start')
    }
  }

  /** In offset order within a partition. Leaving the loop closes the reader. @throws PosthornError */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord, void> {
    const records: AsyncIterable<ConsumedRecord> = this.#buffer
    try {
      for await (const record of records) {
        if (this.#options.signal?.aborted === true) return
        yield record
      }
    } finally {
      await this.close()
    }
  }

  /** Leaves nothing behind in the cluster. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#finish()
    // kafkajs doesn't stop a consumer that is still joining.
    await this.#starting
    await this.#consumer.disconnect().catch(() => undefined)
    await this.#admin.deleteGroups([this.#groupId]).catch(() => undefined)
    await this.#admin.disconnect().catch(() => undefined)
  }

  async #start(): Promise<void> {
    const { topic } = this.#options
    const { GROUP_JOIN, END_BATCH_PROCESS, CRASH } = this.#consumer.events
    this.#consumer.on(GROUP_JOIN, () => {
      this.#failedJoins = 0
      if (this.#isPaused) this.#consumer.pause([{ topic }])
      for (const [partition, { next }] of this.#spans) this.#consumer.seek({ topic, partition, offset: String(next) })
    })
    this.#consumer.on(END_BATCH_PROCESS, ({ payload }) => this.#advance(payload.partition, Number(payload.lastOffset)))
    this.#consumer.on(CRASH, ({ payload }) => {
      if (!payload.restart) this.#fail(payload.error)
    })
    try {
      await this.#consumer.connect()
      await this.#consumer.subscribe({ topics: [topic], fromBeginning: true })
      await this.#consumer.run({
        // Also keeps `seek` from committing.
        autoCommit: false,
        eachBatch: async ({ batch: { partition, messages } }) => {
          for (const message of messages) this.#push(fromKafkaMessage(topic, partition, message))
        },
      })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** A broker that has just started is still loading its groups: kafkajs gives up on that at once. */
  #mayJoinAgain(error: unknown): boolean {
    const { code, retryable } = classifyKafkaError(error, 'fetch')
    this.#failedJoins += 1
    return code === 'KAFKA_FAILED' && retryable && this.#failedJoins < joinAttempts && !this.#isFinished
  }

  #push(record: ConsumedRecord): void {
    const span = this.#spans.get(record.partition)
    // A rejoin fetches again from before.
    if (span === undefined || record.offset < span.next || record.offset >= span.end || this.#isFinished) return
    span.next = record.offset + 1
    if (this.#buffer.push(record) || this.#isPaused) return
    this.#isPaused = true
    this.#consumer.pause([{ topic: this.#options.topic }])
  }

  #resume(): void {
    if (!this.#isPaused || this.#isFinished) return
    this.#isPaused = false
    this.#consumer.resume([{ topic: this.#options.topic }])
  }

  #advance(partition: number, lastOffset: number): void {
    const span = this.#spans.get(partition)
    if (span !== undefined) span.next = Math.max(span.next, lastOffset + 1)
    if (this.#isAtEnd) this.#finish()
  }

  get #isAtEnd(): boolean {
    return [...this.#spans.values()].every(({ next, end }) => next >= end)
  }

  #finish(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#buffer.push(null)
  }

  #fail(error: unknown): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#buffer.destroy(classifyKafkaError(error, 'fetch'))
  }
}
