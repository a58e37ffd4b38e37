import { PosthornError } from '../errors.ts'

export interface Haste {
  /** Whether somebody waits for what is held meanwhile. */
  isWanted: () => boolean
  /** Longest wait for the next item while somebody waits. */
  patienceMs: number
  /** Ends what the items come from. */
  giveUp: () => void
}

/** How often somebody may have come to wait since. */
const lookAgainMs = 1_000

/**
 * Passes items on as they come. Whoever holds memory that others wait for must not be kept waiting for long itself: a
 * server that is silent meanwhile is let go of, and asked again over a new connection.
 *
 * @throws PosthornError `IMAP_TIMEOUT`
 */
export async function* keepMoving<T>(items: AsyncIterable<T>, haste: Haste): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done = false, value } = await inTime(iterator.next(), haste)
      if (done) return
      yield value as T
    }
  } finally {
    iterator.return?.()?.catch(() => undefined)
  }
}

const inTime = async <T>(next: Promise<T>, { isWanted, patienceMs, giveUp }: Haste): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    const look = (): void => {
      if (!isWanted()) {
        timer = setTimeout(look, lookAgainMs)
        return
      }
      const seconds = Math.round(patienceMs / 1_000)
      const message = `the server handed nothing out for ${seconds} s while other mailboxes waited for memory`
      reject(new PosthornError('IMAP_TIMEOUT', message, { stage: 'fetch', retryable: true }))
      giveUp()
    }
    timer = setTimeout(look, patienceMs)
  })
  // Its end may come after it was given up.
  next.catch(() => undefined)
  try {
    return await Promise.race([next, stalled])
  } finally {
    clearTimeout(timer)
  }
}
