const longestTimerMs = 2 ** 31 - 1

/** Rings once, at the earliest of the times that it was set to since it rang last. It may ring too early, never too late. */
export class Alarm {
  readonly #onTime: () => void
  readonly #now: () => number
  #next: { timer: NodeJS.Timeout; at: number } | null = null

  constructor(onTime: () => void, now: () => number) {
    this.#onTime = onTime
    this.#now = now
  }

  setIn(ms: number): void {
    const at = this.#now() + ms
    if (this.#next !== null && this.#next.at <= at) return
    this.cancel()
    const timer = setTimeout(
      () => {
        this.#next = null
        this.#onTime()
      },
      Math.min(ms, longestTimerMs),
    )
    this.#next = { timer, at }
  }

  cancel(): void {
    clearTimeout(this.#next?.timer)
    this.#next = null
  }
}
