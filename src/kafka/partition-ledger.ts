/**
 * The transactional side of one owned partition: results, dead letters, checkpoints and consumed offsets are recorded
 * together or not at all, and only by the partition's newest owner.
 *
 * States: unclaimed → claimed ⇄ unsure → (fenced | closed).
 *
 * - `claim` makes a producer under the partition's own transactional id. Its first transaction writes a marker to the
 *   state topic: InitProducerId, which settles whatever the previous owner left open, happens then and not at connect
 *   (KIP-98; kafkajs initialises late). From here on an older owner is fenced. Only after that are the committed offsets read:
 *   kafkajs 2.2.4 has no requireStable (KIP-447), so reading earlier could miss a transaction that was still open.
 * - `commit` runs one transaction at a time. Every transaction carries the offset of the anchor topic with a commit id
 *   in its metadata. When the outcome of a transaction is unknown (a lost reply, a broker that went away), the ledger is
 *   unsure: the producer object is discarded, since kafkajs cannot leave the COMMITTING state; a new one settles the
 *   old transaction, and the commit id that the group then reports tells whether it had been committed. An id that is
 *   neither of this ledger nor the one that it began with is another owner's: the ledger is fenced.
 * - A fenced ledger never claims again by itself: that would fence the rightful owner. Its group member has to rejoin.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Kafka, Producer, Transaction } from 'kafkajs'
import { PosthornError } from '../errors.ts'
import { classifyKafkaError } from './classify-kafka-error.ts'
import { decodeSettled, encodeSettled, type Committable } from './offset-tracker.ts'
import { sizeOf, type OutgoingRecord } from './records.ts'
import { toTopicMessages } from './topic-messages.ts'
import { sendOffsets } from './transaction-offsets.ts'

/** What the group has committed for each input topic of the partition. */
export type Positions = Map<string, Committable>

export interface Ledger {
  readonly partition: number
  /**
   * Commits records and positions in one transaction; returns when it is certain that they are committed.
   *
   * @throws PosthornError `KAFKA_FENCED` (the partition has another owner: stop), `RECORD_TOO_LARGE` (nothing was
   *   committed; a record is beyond what the broker takes), `STOPPED`
   */
  commit(records: readonly OutgoingRecord[], positions: Positions): Promise<void>
}

export interface LedgerOptions {
  kafka: Kafka
  admin: Admin
  groupId: string
  partition: number
  /** The first one anchors the commit ids. */
  inputTopics: readonly [string, ...string[]]
  stateTopic: string
  transactionTimeoutMs: number
  /** Aborted when the partition is lost or the process stops. */
  signal: AbortSignal
  onTrouble: (error: PosthornError) => void
}

/** Key of the records that mark a claim in a state topic. No state key can be equal: those are JSON arrays or ids. */
export const claimMarkerKey = '#claim'
export const claimMarkerHeader = 'posthorn-claim'

/** Separates the commit id from the bitmap; neither contains it. */
const separator = ' '

const timeOf = (commitId: string): number | null => {
  const [, , time] = commitId.split(':')
  return time === undefined ? null : Number(time)
}

const retryPause = { firstMs: 50, maxMs: 5_000 }

/** The broker's limit is for a whole batch of records, not for each: `max.message.bytes` is 1 MB by default. */
const maxSliceBytes = 512 * 1024

const sliceBySize = (records: readonly OutgoingRecord[]): OutgoingRecord[][] => {
  const slices: OutgoingRecord[][] = []
  let open: OutgoingRecord[] = []
  let bytes = 0
  for (const record of records) {
    const size = sizeOf(record)
    if (open.length > 0 && bytes + size > maxSliceBytes) {
      slices.push(open)
      open = []
      bytes = 0
    }
    open.push(record)
    bytes += size
  }
  return open.length === 0 ? slices : [...slices, open]
}

export class PartitionLedger implements Ledger {
  readonly partition: number
  readonly #options: LedgerOptions
  /** A fresh id for each ledger, so that no two owners ever write the same commit id. */
  readonly #id = randomUUID()
  #sequence = 0
  #producer: Producer | null = null
  /** As the group reported it, or of this ledger since; empty: there was none. Null: not claimed yet. */
  #lastCommitId: string | null = null
  /** Of a transaction whose outcome is not known. */
  #unsure: string | null = null
  #fenced = false
  #tail: Promise<void> = Promise.resolve()

  constructor(options: LedgerOptions) {
    this.#options = options
    this.partition = options.partition
  }

  /**
   * @returns the marker's id, to be met in the state topic, the committed positions of the input topics, and when an owner
   *   last committed (milliseconds since the epoch; null: none has, or nobody can say)
   */
  async claim(): Promise<{ marker: string; positions: Positions; committedAt: number | null }> {
    const marker = `${this.#id}:claim`
    const record: OutgoingRecord = {
      topic: this.#options.stateTopic,
      partition: this.partition,
      key: claimMarkerKey,
      value: null,
      headers: [{ name: claimMarkerHeader, value: Buffer.from(marker) }],
    }
    // Writing the marker twice after an unknown outcome is harmless: the first one met ends the replay.
    await this.#inTurn(async (transaction) => {
      await transaction.sendBatch({ topicMessages: toTopicMessages([record]), acks: -1 })
    }, null)
    const { positions, commitId } = await this.#fetchPositions()
    this.#lastCommitId = commitId
    return { marker, positions, committedAt: timeOf(commitId) }
  }

  commit(records: readonly OutgoingRecord[], positions: Positions): Promise<void> {
    const commitId = `${this.#id}:${(this.#sequence += 1)}:${Date.now()}`
    return this.#inTurn(async (transaction) => {
      for (const slice of sliceBySize(records)) {
        await transaction.sendBatch({ topicMessages: toTopicMessages(slice), acks: -1 })
      }
      await this.#sendOffsets(transaction, commitId, positions)
    }, commitId)
  }

  /** Waits for what is under way, so that nothing of this ledger can fence its successor later. */
  async close(): Promise<void> {
    await this.#tail
    await this.#discardProducer()
  }

  #inTurn(work: (transaction: Transaction) => Promise<void>, commitId: string | null): Promise<void> {
    const run = this.#tail.then(() => this.#untilSettled(work, commitId))
    this.#tail = run.catch(() => undefined)
    return run
  }

  /** Runs one transaction until it is known to be committed. `commitId` null: repeat when in doubt. */
  async #untilSettled(work: (transaction: Transaction) => Promise<void>, commitId: string | null): Promise<void> {
    let pauseMs = retryPause.firstMs
    for (;;) {
      this.#assertUsable()
      let transaction: Transaction | null = null
      try {
        const isReopened = this.#producer === null && this.#lastCommitId !== null
        const producer = await this.#openProducer()
        if (isReopened && (await this.#findOutcome(producer)) === commitId) return
        transaction = await producer.transaction()
        await work(transaction)
        await transaction.commit()
        if (commitId !== null) this.#lastCommitId = commitId
        return
      } catch (cause) {
        const error = classifyKafkaError(cause, 'publish')
        if (error.code === 'RECORD_TOO_LARGE' && transaction?.isActive() === true) {
          await transaction.abort().catch(() => this.#discardProducer())
          throw error
        }
        await this.#discardProducer()
        if (error.code === 'KAFKA_FENCED') this.#fenced = true
        this.#unsure = commitId
        this.#assertUsable()
        this.#options.onTrouble(error)
        await delay(pauseMs, undefined, { signal: this.#options.signal }).catch(() => undefined)
        pauseMs = Math.min(pauseMs * 2, retryPause.maxMs)
      }
    }
  }

  /**
   * What has become of the transaction before, under a new producer: it is initialised by its first transaction only, so
   * an empty one settles the old. That fences whoever is the owner now, and another one may have been here: then the
   * group reports a commit that is not this ledger's, and nothing of this ledger counts any more.
   *
   * @returns the id of the last commit
   */
  async #findOutcome(producer: Producer): Promise<string> {
    await (await producer.transaction()).abort()
    const { commitId } = await this.#fetchPositions()
    if (commitId !== this.#lastCommitId && commitId !== this.#unsure) throw this.#supersededError()
    this.#lastCommitId = commitId
    return commitId
  }

  #supersededError(): PosthornError {
    const message = `partition ${this.partition} of group ${this.#options.groupId} has a newer owner`
    return new PosthornError('KAFKA_FENCED', message, { stage: 'publish', retryable: false })
  }

  #assertUsable(): void {
    if (this.#fenced) throw this.#supersededError()
    if (this.#options.signal.aborted) {
      throw new PosthornError('STOPPED', `partition ${this.partition} is being released`, { stage: 'publish' })
    }
  }

  async #openProducer(): Promise<Producer> {
    if (this.#producer !== null) return this.#producer
    const { kafka, groupId, partition, transactionTimeoutMs } = this.#options
    const producer = kafka.producer({
      transactionalId: `${groupId}.${partition}`,
      transactionTimeout: transactionTimeoutMs,
      maxInFlightRequests: 1,
      idempotent: true,
      allowAutoTopicCreation: false,
      // Short first pause: CONCURRENT_TRANSACTIONS passes within milliseconds and the default of 300 ms would
      // limit back-to-back transactions to a few a second.
      retry: { initialRetryTime: 5, maxRetryTime: 1_000, retries: 30 },
    })
    await producer.connect()
    this.#producer = producer
    return producer
  }

  async #discardProducer(): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.disconnect().catch(() => undefined)
  }

  async #sendOffsets(transaction: Transaction, commitId: string, positions: Positions): Promise<void> {
    const { groupId, inputTopics } = this.#options
    const topics = [...positions].map(([topic, position]) => {
      const settled = encodeSettled(position)
      const metadata = topic === inputTopics[0] ? `${commitId}${separator}${settled}` : `${separator}${settled}`
      return { topic, partitions: [{ partition: this.partition, offset: String(position.offset), metadata }] }
    })
    await sendOffsets(transaction, { consumerGroupId: groupId, topics })
  }

  async #fetchPositions(): Promise<{ positions: Positions; commitId: string }> {
    const { admin, groupId, inputTopics } = this.#options
    const fetched = await admin.fetchOffsets({ groupId, topics: [...inputTopics] })
    const positions: Positions = new Map()
    let commitId = ''
    for (const { topic, partitions } of fetched) {
      const found = partitions.find(({ partition }) => partition === this.partition)
      const [id = '', settled = ''] = (found?.metadata ?? '').split(separator)
      const offset = Number(found?.offset ?? -1)
      if (offset < 0) continue
      positions.set(topic, decodeSettled(offset, settled))
      if (topic === inputTopics[0]) commitId = id
    }
    for (const topic of inputTopics) {
      if (positions.has(topic)) continue
      const offsets = await admin.fetchTopicOffsets(topic)
      const low = offsets.find(({ partition }) => partition === this.partition)?.low ?? '0'
      positions.set(topic, { offset: Number(low), settled: [] })
    }
    return { positions, commitId }
  }
}
