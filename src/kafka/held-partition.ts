/**
 * One partition in the hands of this member.
 *
 * claiming (its producer fences the previous owner, then the positions are read) → replaying (the state topic, up to
 * the claim's own marker) → running → released. Inputs flow only while running, the state topic only while replaying.
 */
import type { Admin } from 'kafkajs'
import { PosthornError } from '../errors.ts'
import type { Awaited } from '../readiness.ts'
import { fitPosition, type Extent, type RecordLoss } from './fit-position.ts'
import { claimMarkerHeader, type PartitionLedger, type Positions } from './partition-ledger.ts'
import type { Committable } from './offset-tracker.ts'
import type { PartitionOwner } from './partition-owner.ts'
import type { ConsumedRecord } from './records.ts'

/**
 * A topic may be made anew while its partitions are still being worked on and committed: longer than a member takes to
 * notice and to drain, and than clocks differ.
 */
const doubtMs = 120_000

export interface Seek {
  topic: string
  offset: number
}

export interface Claimed {
  /** Where the state topic has to be read from. */
  seek: Seek
  losses: RecordLoss[]
}

export class HeldPartition {
  readonly owner: PartitionOwner
  readonly pausedTopics: Set<string>
  readonly #ledger: PartitionLedger
  readonly #stateTopic: string
  readonly #abort: AbortController
  #phase: 'claiming' | 'replaying' | 'running' | 'released' = 'claiming'
  #marker = ''
  #positions: Positions = new Map()

  constructor(
    owner: PartitionOwner,
    ledger: PartitionLedger,
    stateTopic: string,
    abort: AbortController,
    pausedTopics: Set<string>,
  ) {
    this.owner = owner
    this.pausedTopics = pausedTopics
    this.#ledger = ledger
    this.#stateTopic = stateTopic
    this.#abort = abort
  }

  /** As of its owner; null: it is being claimed. */
  get awaited(): readonly Awaited[] | null {
    return this.#phase === 'running' ? this.owner.awaited : null
  }

  /** @returns null when the partition was released meanwhile */
  async claim(admin: Admin): Promise<Claimed | null> {
    const { marker, positions, committedAt } = await this.#ledger.claim()
    const { partition } = this.#ledger
    const own = <T extends { partition: number }>(topic: string, offsets: readonly T[]): T => {
      const found = offsets.find((one) => one.partition === partition)
      if (found !== undefined) return found
      // Taken for an empty topic it would be read from its beginning.
      const message = `Kafka does not tell the offsets of partition ${partition} of ${topic}`
      throw new PosthornError('KAFKA_FAILED', message, { stage: 'start', retryable: true })
    }
    const extentOf = async (topic: string): Promise<Extent> => {
      const { low, high } = own(topic, await admin.fetchTopicOffsets(topic))
      return { low: Number(low), high: Number(high) }
    }
    const fit = async (topic: string, position: Committable): Promise<ReturnType<typeof fitPosition>> => {
      const extent = await extentOf(topic)
      if (position.offset <= extent.high || committedAt === null) return fitPosition(position, extent, extent.low)
      const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, committedAt - doubtMs)
      return fitPosition(position, extent, Number(own(topic, offsets).offset))
    }
    const fitted = await Promise.all(
      [...positions].map(async ([topic, position]) => [topic, await fit(topic, position)] as const),
    )
    const { low } = await extentOf(this.#stateTopic)
    if (this.#phase === 'released') return null
    this.#marker = marker
    this.#positions = new Map(fitted.map(([topic, { position }]) => [topic, position]))
    this.#phase = 'replaying'
    const losses = fitted.flatMap(([topic, { lost }]) => (lost === null ? [] : [{ topic, partition, ...lost }]))
    return { seek: { topic: this.#stateTopic, offset: low }, losses }
  }

  /** @returns where the inputs have to be read from, when these records completed the state */
  take(topic: string, records: readonly ConsumedRecord[]): Seek[] {
    if (topic !== this.#stateTopic) {
      if (this.#phase === 'running') this.owner.accept(records)
      return []
    }
    if (this.#phase !== 'replaying') return []
    for (const record of records) {
      const claim = record.headers.find(({ name }) => name === claimMarkerHeader)
      if (claim === undefined) this.owner.replay(record)
      else if (claim.value.toString() === this.#marker) {
        this.#phase = 'running'
        this.owner.begin(this.#positions)
        return [...this.#positions].map(([input, { offset }]) => ({ topic: input, offset }))
      }
    }
    return []
  }

  /** Whether the consumer should fetch this topic now. */
  wants(topic: string): boolean {
    if (topic === this.#stateTopic) return this.#phase === 'replaying'
    return this.#phase === 'running' && !this.pausedTopics.has(topic)
  }

  async release(): Promise<void> {
    this.#phase = 'released'
    this.#abort.abort()
    await this.owner.release()
    await this.#ledger.close()
  }
}
