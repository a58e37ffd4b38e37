/**
 * Turns settlements into few transactions. Whatever has gathered while one transaction was under way goes into the next;
 * where `gather` says so, the next one also waits a little for more, since what a transaction costs, here and in the
 * broker, hardly depends on how much is in it. A settlement that comes after a quiet time, and one after which none can
 * come, waits for nothing. Each is committed once, with its offset, or not at all.
 *
 * States: idle → gathering ⇄ committing → idle | failed. Once failed (fenced, stopped) nothing is committed any more.
 */
import { isPosthornError, toPosthornError, type PosthornError } from '../errors.ts'
import type { OffsetTracker } from './offset-tracker.ts'
import type { Ledger, Positions } from './partition-ledger.ts'
import { sizeOf, type OutgoingRecord } from './records.ts'

export interface Settlement {
  records: readonly OutgoingRecord[]
  /** The input record that this settles; null for records on their own (an intent, a checkpoint). */
  source: { topic: string; offset: number } | null
  /** Called once all of it is committed: what is told of a decision before may never have happened. */
  onCommitted?: () => void
}

interface Pending extends Settlement {
  resolve(): void
  reject(error: PosthornError): void
}

const maxRecordsInTransaction = 500

export interface Gather {
  /** So many are enough. */
  settlements: number
  /** Time from the start of one transaction to the start of the next, at most, milliseconds. */
  intervalMs: number
  /** Jobs whose settlement is not committed yet: when all of them have theirs, there is nothing to wait for. */
  underWay: () => number
}

export interface BatcherOptions {
  ledger: Ledger
  /** One for each input topic, the anchor's first. */
  trackers: ReadonlyMap<string, OffsetTracker>
  /** What to write instead of a record that is larger than the broker takes. */
  replaceTooLarge: (record: OutgoingRecord, error: PosthornError) => OutgoingRecord
  onFailed: (error: PosthornError) => void
  /** Absent: a transaction waits only for the one before. */
  gather?: Gather
}

export class SettlementBatcher {
  readonly #options: BatcherOptions
  #pending: Pending[] = []
  #isRunning = false
  /** Of the last transaction, by `performance.now()`. */
  #startedAt = Number.NEGATIVE_INFINITY
  /** Ends the gathering. */
  #ripe: (() => void) | null = null
  #failure: PosthornError | null = null

  constructor(options: BatcherOptions) {
    this.#options = options
  }

  /** True when nothing will be committed any more. */
  get hasFailed(): boolean {
    return this.#failure !== null
  }

  /** Resolves when the settlement is committed. @throws PosthornError when it will never be */
  add(settlement: Settlement): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...settlement, resolve, reject })
      if (!this.#isRunning) void this.#run()
      else if (this.#ripe !== null && this.#isEnough()) this.#ripe()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // Lets everything that settles in this turn of the event loop share the transaction.
    await new Promise(setImmediate)
    while (this.#pending.length > 0) {
      await this.#gather()
      this.#startedAt = performance.now()
      await this.#commit(this.#takeBatch())
    }
    this.#isRunning = false
  }

  async #gather(): Promise<void> {
    const waitMs = this.#startedAt + (this.#options.gather?.intervalMs ?? 0) - performance.now()
    if (waitMs <= 0 || this.#isEnough()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#ripe = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#ripe = null
  }

  #isEnough(): boolean {
    const { gather } = this.#options
    const { length } = this.#pending
    return gather === undefined || length >= gather.settlements || length >= gather.underWay()
  }

  #takeBatch(): Pending[] {
    let records = 0
    let count = 0
    for (const settlement of this.#pending) {
      records += settlement.records.length
      if (count > 0 && records > maxRecordsInTransaction) break
      count += 1
    }
    return this.#pending.splice(0, count)
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    if (this.#failure !== null) {
      for (const settlement of batch) settlement.reject(this.#failure)
      return
    }
    try {
      await this.#write(batch)
    } catch (cause) {
      const error = toPosthornError(cause, 'publish')
      this.#failure = error
      for (const settlement of batch) settlement.reject(error)
      this.#options.onFailed(error)
    }
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const { ledger, trackers, replaceTooLarge } = this.#options
    const positions = this.#positionsAfter(batch)
    const records = batch.flatMap((settlement) => settlement.records)
    // Each round makes the largest record smaller, so it ends: a dead letter without a value always fits.
    for (let round = 0; ; round += 1) {
      try {
        await ledger.commit(records, positions)
        break
      } catch (error) {
        if (!isPosthornError(error) || error.code !== 'RECORD_TOO_LARGE' || round > 2 * records.length) throw error
        const largest = records.toSorted((a, b) => sizeOf(b) - sizeOf(a))[0]
        if (largest === undefined) throw error
        records[records.indexOf(largest)] = replaceTooLarge(largest, error)
      }
    }
    for (const { source, onCommitted, resolve } of batch) {
      if (source !== null) trackers.get(source.topic)?.settle(source.offset)
      onCommitted?.()
      resolve()
    }
  }

  /**
   * What is settled once the batch is committed; the trackers learn it only then. Of the anchor, which every transaction
   * needs, and of the topics that the batch is about: the others stay where they are.
   */
  #positionsAfter(batch: readonly Pending[]): Positions {
    const about = new Map<string, Set<number>>()
    for (const { source } of batch) {
      if (source === null) continue
      const offsets = about.get(source.topic) ?? new Set()
      about.set(source.topic, offsets.add(source.offset))
    }
    return new Map(
      [...this.#options.trackers]
        .filter(([topic], index) => index === 0 || about.has(topic))
        .map(([topic, tracker]) => [topic, tracker.committable(about.get(topic))]),
    )
  }
}
