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

  /** Runs `work` as soon as its share is free. @throws what the work throws */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const share = Math.min(bytes, this.#total)
    if (this.#waiting.length > 0 || share > this.#free) {
      await new Promise<void>((start) => this.#waiting.push({ bytes: share, start }))
    } else this.#free -= share
    try {
      return await work()
    } finally {
      this.#free += share
      this.#startWaiting()
    }
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.bytes
      next.start()
    }
  }
}
