/**
 * Lets work through in steps that a rebalance or a stop can wait for: each step is entered and left; a closed gate lets
 * nothing in, and closing waits for what is inside.
 */
export class WorkGate {
  #inside = 0
  #isClosed = false
  #waiting: (() => void)[] = []
  #emptied: (() => void)[] = []
  readonly #closeListeners = new Set<() => void>()

  /** Runs one step when the gate is open. @throws what the step throws, or the signal's reason */
  async pass<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    while (this.#isClosed) {
      signal.throwIfAborted()
      let enter = (): void => undefined
      const opened = new Promise<void>((resolve) => (enter = resolve))
      this.#waiting.push(enter)
      signal.addEventListener('abort', enter, { once: true })
      await opened
      signal.removeEventListener('abort', enter)
    }
    signal.throwIfAborted()
    this.#inside += 1
    try {
      return await step()
    } finally {
      this.#inside -= 1
      if (this.#inside === 0) for (const resolve of this.#emptied.splice(0)) resolve()
    }
  }

  /** Resolves when nothing is inside. */
  close(): Promise<void> {
    this.#isClosed = true
    for (const listener of this.#closeListeners) listener()
    if (this.#inside === 0) return Promise.resolve()
    return new Promise((resolve) => this.#emptied.push(resolve))
  }

  /** Calls back when the gate closes, at once where it is closed. @returns how to end it */
  onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener)
    if (this.#isClosed) listener()
    return () => void this.#closeListeners.delete(listener)
  }

  open(): void {
    this.#isClosed = false
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
