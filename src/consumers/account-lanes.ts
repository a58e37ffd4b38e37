/**
 * The jobs of one partition, a lane for each account: one account's trouble must not hold up another's.
 *
 * What is in the lanes counts against the partition's intake. A lane that does not move (its server stalls, or its rate
 * allows no more) would in time hold all of it, so a slow lane does not count, and may keep no more than its share: what
 * it has beyond is given back, the newest first, and what comes for it meanwhile is not taken. Where there is only one
 * account nobody is held up and no lane is slow.
 */
import { KeyedQueue } from './keyed-queue.ts'
import type { Slots } from './slots.ts'

/** What a lane holds. */
export interface LaneJob {
  account: string
  key: string | null
  bytes: number
}

export interface LaneOptions<T extends LaneJob> {
  /** Accounts that may come now. */
  accounts: () => number
  /** Most jobs in the lanes that are not slow. */
  records: number
  /** Of an account, shared with its lanes in other partitions. */
  slotsOf: (account: string) => Slots
  /** Must not reject. */
  run: (job: T) => Promise<void>
  /** A lane holds less than before. */
  onEased: () => void
  now: () => number
}

/** `waiting`: no more than it takes to be busy until the next fetch, since what waits longer is costlier garbage. */
export const laneLimits = { records: 256, waiting: 128, bytes: 8 * 1_048_576 }
/** Of one slow lane, at least. */
const leastShare = { records: 16, bytes: 512 * 1024 }
/** A job that waits longer than this waits in a slow lane. */
export const patienceMs = 5_000

interface Load {
  records: number
  bytes: number
}

interface Queued<T> {
  job: T
  since: number
}

interface Lane<T> {
  queue: KeyedQueue<Queued<T>>
  load: Load
  isSlow: boolean
  /** When something last started or ended. */
  movedAt: number
  /** How long what last started had waited, milliseconds. */
  waitedMs: number
}

export class AccountLanes<T extends LaneJob> {
  readonly #options: LaneOptions<T>
  readonly #lanes = new Map<string, Lane<T>>()
  /** Of all lanes that are not slow. */
  readonly #load: Load = { records: 0, bytes: 0 }
  /** Of these, not started. */
  #waiting = 0
  #isHeld = false

  constructor(options: LaneOptions<T>) {
    this.#options = options
  }

  /** 1 and more: nothing should be taken for these lanes now. */
  get fullness(): number {
    const { records, bytes } = this.#load
    return Math.max(records / this.#options.records, this.#waiting / laneLimits.waiting, bytes / laneLimits.bytes)
  }

  /** @returns false when the lane can't take it now */
  push(job: T): boolean {
    const lane = this.#lane(job.account)
    if (lane.isSlow && this.#isFull(lane)) return false
    if (lane.load.records === 0) lane.movedAt = this.#options.now()
    this.#count(lane, job, 1)
    if (!lane.isSlow) this.#waiting += 1
    lane.queue.push(job.key, { job, since: this.#options.now() })
    return true
  }

  /** To be called now and then. @returns what slow lanes had beyond their share, in the order in which it came */
  relieve(): T[] {
    if (this.#options.accounts() < 2) return []
    const now = this.#options.now()
    const givenBack: T[] = []
    for (const lane of this.#lanes.values()) {
      const isLate = lane.queue.waiting > 0 && lane.waitedMs > patienceMs
      this.#mark(lane, lane.load.records > 0 && (isLate || now - lane.movedAt > patienceMs))
      if (!lane.isSlow) continue
      const taken = lane.queue.takeBack(
        () => !this.#isFull(lane),
        ({ job }) => this.#count(lane, job, -1),
      )
      givenBack.push(...taken.map(({ job }) => job))
    }
    return givenBack
  }

  /** Starts nothing new until `release`. */
  hold(): void {
    this.#isHeld = true
    for (const { queue } of this.#lanes.values()) queue.hold()
  }

  release(): void {
    this.#isHeld = false
    for (const { queue } of this.#lanes.values()) queue.release()
  }

  #lane(account: string): Lane<T> {
    const existing = this.#lanes.get(account)
    if (existing !== undefined) return existing
    const queue = new KeyedQueue<Queued<T>>(this.#options.slotsOf(account), (queued) => this.#run(lane, queued))
    const lane: Lane<T> = { queue, load: { records: 0, bytes: 0 }, isSlow: false, movedAt: 0, waitedMs: 0 }
    if (this.#isHeld) queue.hold()
    this.#lanes.set(account, lane)
    return lane
  }

  async #run(lane: Lane<T>, { job, since }: Queued<T>): Promise<void> {
    lane.movedAt = this.#options.now()
    lane.waitedMs = lane.movedAt - since
    if (!lane.isSlow) this.#waiting -= 1
    await this.#options.run(job)
    lane.movedAt = this.#options.now()
    this.#count(lane, job, -1)
    // Requests may name any number of accounts, and an account may come and go.
    if (lane.load.records === 0) this.#lanes.delete(job.account)
    this.#options.onEased()
  }

  #isFull({ load }: Lane<T>): boolean {
    const { accounts, records } = this.#options
    const part = 1 / 2 / Math.max(1, accounts())
    return (
      load.records >= Math.max(leastShare.records, records * part) ||
      load.bytes >= Math.max(leastShare.bytes, laneLimits.bytes * part)
    )
  }

  #mark(lane: Lane<T>, isSlow: boolean): void {
    if (lane.isSlow === isSlow) return
    lane.isSlow = isSlow
    const sign = isSlow ? -1 : 1
    this.#load.records += sign * lane.load.records
    this.#waiting += sign * lane.queue.waiting
    this.#load.bytes += sign * lane.load.bytes
  }

  #count(lane: Lane<T>, { bytes }: T, sign: 1 | -1): void {
    for (const load of lane.isSlow ? [lane.load] : [lane.load, this.#load]) {
      load.records += sign
      load.bytes += sign * bytes
    }
  }
}
