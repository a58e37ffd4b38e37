/**
 * Turns settlements into as few transactions as possible without making any wait: whatever has gathered while one
 * transaction was under way goes into the next. Each settlement is committed once, with its offset, or not at all.
 *
 * States: idle ⇄ committing → failed. Once failed (fenced, stopped) nothing is committed any more.
 */
import { isPosthornError, toPosthornError, type PosthornError } from '../errors.ts'
import type { OffsetTracker } from './offset-tracker.ts'
import type { Ledger, Positions } from './partition-ledger.ts'
import type { OutgoingRecord } from './records.ts'

export interface Settlement {
  records: readonly OutgoingRecord[]
  /** The input record that this settles; null for records on their own (an intent, a checkpoint). */
  source: { topic: string; offset: number } | null
  /** Records to write instead when one of `records` is larger than the broker takes. */
  whenTooLarge?: (error: PosthornError) => readonly OutgoingRecord[]
}

interface Pending extends Settlement {
  resolve(): void
  reject(error: PosthornError): void
}

const maxRecordsInTransaction = 500

export class SettlementBatcher {
  readonly #ledger: Ledger
  readonly #trackers: ReadonlyMap<string, OffsetTracker>
  readonly #onFailed: (error: PosthornError) => void
  #pending: Pending[] = []
  #running: Promise<void> | null = null
  #failure: PosthornError | null = null

  constructor(ledger: Ledger, trackers: ReadonlyMap<string, OffsetTracker>, onFailed: (error: PosthornError) => void) {
    this.#ledger = ledger
    this.#trackers = trackers
    this.#onFailed = onFailed
  }

  /** Resolves when the settlement is committed. @throws PosthornError when it will never be */
  add(settlement: Settlement): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...settlement, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  async #run(): Promise<void> {
    // Lets everything that settles in this turn of the event loop share the transaction.
    await new Promise(setImmediate)
    while (this.#pending.length > 0) await this.#commit(this.#takeBatch())
    this.#running = null
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
      this.#onFailed(error)
    }
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const positions = this.#positionsAfter(batch)
    try {
      await this.#ledger.commit(
        batch.flatMap(({ records }) => records),
        positions,
      )
    } catch (error) {
      if (!isPosthornError(error) || error.code !== 'RECORD_TOO_LARGE') throw error
      const [only] = batch
      if (only === undefined || batch.length > 1) {
        for (const settlement of batch) await this.#write([settlement])
        return
      }
      if (only.whenTooLarge === undefined) throw error
      await this.#ledger.commit(only.whenTooLarge(error), positions)
    }
    for (const { source, resolve } of batch) {
      if (source !== null) this.#trackers.get(source.topic)?.settle(source.offset)
      resolve()
    }
  }

  /** What is settled once the batch is committed; the trackers learn it only then. */
  #positionsAfter(batch: readonly Pending[]): Positions {
    const about = new Map<string, Set<number>>()
    for (const { source } of batch) {
      if (source === null) continue
      const offsets = about.get(source.topic) ?? new Set()
      about.set(source.topic, offsets.add(source.offset))
    }
    return new Map([...this.#trackers].map(([topic, tracker]) => [topic, tracker.committable(about.get(topic))]))
  }
}
