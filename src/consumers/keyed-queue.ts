/**
 * Runs work concurrently as far as there are slots while items with the same key run one after another, in the order in
 * which they came. Items without a key run in any order.
 */
import type { Slots } from './slots.ts'

interface Item<T> {
  key: string | null
  value: T
  /** Ascending in the order of arrival. */
  sequence: number
}

export class KeyedQueue<T> {
  readonly #slots: Slots
  readonly #run: (value: T) => Promise<void>
  /** Can start as soon as there is a slot; at most one for each key. */
  #ready: Item<T>[] = []
  /** Behind an item of the same key that is ready or running. */
  readonly #behind = new Map<string, Item<T>[]>()
  readonly #wake = (): void => {
    this.#start()
    // Woken while held or empty: the slot is somebody else's.
    this.#slots.passOn()
  }
  #sequence = 0
  #waiting = 0
  #running = 0
  #held = false
  #idle: (() => void)[] = []

  /** @param run must not reject */
  constructor(slots: Slots, run: (value: T) => Promise<void>) {
    this.#slots = slots
    this.#run = run
  }

  push(key: string | null, value: T): void {
    const item = { key, value, sequence: (this.#sequence += 1) }
    this.#waiting += 1
    if (key !== null) {
      const behind = this.#behind.get(key)
      if (behind !== undefined) {
        behind.push(item)
        return
      }
      this.#behind.set(key, [])
    }
    this.#ready.push(item)
    this.#start()
  }

  /**
   * Takes items that have not started out again, those that came last first, until `isEnough` answers true.
   *
   * @returns them in the order in which they came
   */
  takeBack(isEnough: () => boolean, onTaken: (value: T) => void): T[] {
    const waiting = [...this.#ready, ...[...this.#behind.values()].flat()].sort((a, b) => b.sequence - a.sequence)
    const taken = new Set<Item<T>>()
    for (const item of waiting) {
      if (isEnough()) break
      taken.add(item)
      onTaken(item.value)
    }
    const stays = (item: Item<T>): boolean => !taken.has(item)
    for (const { key } of this.#ready.filter((item) => !stays(item))) {
      // Everything behind it came later and was taken before it.
      if (key !== null) this.#behind.delete(key)
    }
    this.#ready = this.#ready.filter(stays)
    for (const [key, behind] of this.#behind) this.#behind.set(key, behind.filter(stays))
    this.#waiting -= taken.size
    return [...taken].toReversed().map(({ value }) => value)
  }

  /** Starts nothing new until `release`. */
  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    this.#start()
  }

  get running(): number {
    return this.#running
  }

  /** Items that have not started. */
  get waiting(): number {
    return this.#waiting
  }

  /** Resolves when nothing runs; with `hold` before it, that stays so. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #start(): void {
    while (!this.#held && this.#ready.length > 0 && this.#slots.take(this.#wake)) {
      const item = this.#ready.shift()
      if (item === undefined) return
      this.#waiting -= 1
      this.#running += 1
      void this.#run(item.value).finally(() => this.#finish(item))
    }
  }

  #finish({ key }: Item<T>): void {
    this.#running -= 1
    if (key !== null) {
      const next = this.#behind.get(key)?.shift()
      if (next === undefined) this.#behind.delete(key)
      else this.#ready.push(next)
    }
    // Its own next item comes behind those of other queues that wait.
    this.#slots.give()
    this.#start()
    if (this.#running > 0) return
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }
}
