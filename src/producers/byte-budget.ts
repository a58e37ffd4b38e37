/**
 * Bounds what all folders of the process together hold of mail that is under way. Work waits in the order in which it
 * came, so a large share is never starved by small ones; work that asks for more than there is gets all of it.
 *
 * A holder must never ask again before it has given back: two such holders could wait for each other.
 */
export class ByteBudget {
  readonly #total: number
  #free: number
  readonly #waiting: { bytes: number; start: () => void }[] = []

  constructor(totalBytes: number) {
    this.#total = totalBytes
    this.#free = totalBytes
  }

  /** Whether work waits for a share. */
  get isWanted(): boolean {
    return this.#waiting.length > 0
  }

  /**
   * Runs `work` as soon as its share is free.
   *
   * @param signal aborted: the share is not waited for any more
   * @throws what the work throws, or the signal's reason
   */
  async hold<T>(bytes: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    const share = Math.min(bytes, this.#total)
    if (this.#waiting.length > 0 || share > this.#free) await this.#wait(share, signal)
    else this.#free -= share
    try {
      return await work()
    } finally {
      this.#free += share
      this.#startWaiting()
    }
  }

  #wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const withdraw = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1)
        reject(signal.reason as Error)
        // Those behind may fit where this one did not.
        this.#startWaiting()
      }
      const start = (): void => {
        signal.removeEventListener('abort', withdraw)
        resolve()
      }
      const entry = { bytes, start }
      this.#waiting.push(entry)
      signal.addEventListener('abort', withdraw, { once: true })
    })
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.bytes
      next.start()
    }
  }
}
