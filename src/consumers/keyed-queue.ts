/**
 * Runs work concurrently up to a limit while items with the same key run one after another, in the order in which they
 * came. Items without a key run in any order.
 */
interface Item<T> {
  key: string | null
  value: T
}

export class KeyedQueue<T> {
  readonly #limit: number
  readonly #run: (value: T) => Promise<void>
  /** Can start as soon as there is room; at most one for each key. */
  readonly #ready: Item<T>[] = []
  /** Behind an item of the same key that is ready or running. */
  readonly #behind = new Map<string, Item<T>[]>()
  #running = 0
  #held = false
  #idle: (() => void)[] = []

  /** @param run must not reject */
  constructor(limit: number, run: (value: T) => Promise<void>) {
    this.#limit = limit
    this.#run = run
  }

  push(key: string | null, value: T): void {
    const item = { key, value }
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

  /** Resolves when nothing runs; with `hold` before it, that stays so. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #start(): void {
    while (!this.#held && this.#running < this.#limit) {
      const item = this.#ready.shift()
      if (item === undefined) return
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
    this.#start()
    if (this.#running > 0) return
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }
}
