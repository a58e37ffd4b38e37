/**
 * Pauses between attempts: exponential with full jitter, so that a thousand mailboxes do not come back in step.
 * `reset` only after real success; connecting alone is none.
 */
export interface BackoffOptions {
  firstMs: number
  maxMs: number
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number
}

export class Backoff {
  readonly #options: BackoffOptions
  #failures = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** @param atLeastMs what the server asked for */
  next(atLeastMs = 0): number {
    const { firstMs, maxMs, random } = this.#options
    const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 30))
    this.#failures += 1
    // Never less than half: full jitter down to zero would hammer a server that is down.
    return Math.max(atLeastMs, Math.round(ceiling / 2 + (random() * ceiling) / 2))
  }

  reset(): void {
    this.#failures = 0
  }
}
