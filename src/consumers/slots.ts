/** A number of things that may be under way at once, shared by several queues. Who has to wait is woken in turn. */
export class Slots {
  #free: number
  /** Each waits once, in the order of asking. */
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** @param wake called once when it is worth asking again, if there is none now */
  take(wake: () => void): boolean {
    if (this.#free > 0) {
      this.#free -= 1
      return true
    }
    this.#waiting.add(wake)
    return false
  }

  give(): void {
    this.#free += 1
    this.passOn()
  }

  /** For one that was woken and wants no slot any more. */
  passOn(): void {
    if (this.#free === 0) return
    for (const wake of this.#waiting) {
      this.#waiting.delete(wake)
      wake()
      return
    }
  }
}
