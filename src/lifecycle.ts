/**
 * Acquire in order, release in reverse, also when the acquisition fails half-way.
 *
 * Each release is registered right after what it releases was acquired. Releases run once, last in first out; one that
 * fails does not keep the others from running.
 */
export type Release = () => unknown

export class Releasers {
  #stack: Release[] = []
  #done: Promise<void> | null = null

  add(release: Release): void {
    if (this.#done !== null) throw new Error('nothing can be acquired after the release has begun')
    this.#stack.push(release)
  }

  /** @throws AggregateError of what failed, after everything was tried */
  releaseAll(): Promise<void> {
    this.#done ??= this.#run()
    return this.#done
  }

  async #run(): Promise<void> {
    const failures: unknown[] = []
    for (let release = this.#stack.pop(); release !== undefined; release = this.#stack.pop()) {
      try {
        await release()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'some resources were not released')
  }
}

/**
 * Runs `acquire`; when it throws, or the signal aborts before it has ended, releases what it had registered and passes
 * the error or the signal's reason on. An `acquire` that is overtaken fails at its next registration.
 */
export const withReleasers = async <T>(
  acquire: (releasers: Releasers) => Promise<T>,
  signal: AbortSignal = new AbortController().signal,
): Promise<T> => {
  const releasers = new Releasers()
  try {
    signal.throwIfAborted()
    return await orAborted(acquire(releasers), signal)
  } catch (error) {
    await releasers.releaseAll().catch(() => undefined)
    throw error
  }
}

/** The work's result, or the signal's reason if that comes first; the work then goes on unheeded. */
export const orAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => reject(toError(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })

const toError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)))
