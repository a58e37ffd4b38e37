/**
 * At most `count` sends in any stretch of `perMs` (pure: the clock is given). Exact, not on average: providers count
 * in a sliding window.
 */
export interface SendRateLimit {
  count: number
  perMs: number
}

export class SendRate {
  readonly #limit: SendRateLimit
  /** Times of the last `count` sends, a ring. */
  readonly #times: number[] = []
  #next = 0

  constructor(limit: SendRateLimit) {
    this.#limit = limit
  }

  /** Milliseconds until another send is allowed; 0: now. */
  waitMs(now: number): number {
    const oldest = this.#times.length < this.#limit.count ? undefined : this.#times[this.#next]
    return oldest === undefined ? 0 : Math.max(0, oldest + this.#limit.perMs - now)
  }

  take(now: number): void {
    this.#times[this.#next] = now
    this.#next = (this.#next + 1) % this.#limit.count
  }
}
