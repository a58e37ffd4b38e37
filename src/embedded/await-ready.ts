import { setTimeout as delay } from 'node:timers/promises'
import { PosthornError } from '../errors.ts'
import type { ServerProcess } from './supervisor.ts'

export interface ReadinessOptions {
  name: string
  timeoutMs: number
  signal: AbortSignal
}

/** Asks a server until it answers. @throws PosthornError when it has ended, or does not answer in time */
export const awaitReady = async (
  server: ServerProcess,
  probe: () => Promise<void>,
  { name, timeoutMs, signal }: ReadinessOptions,
): Promise<void> => {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    signal.throwIfAborted()
    if (server.hasExited) throw await server.explain()
    try {
      await probe()
      return
    } catch (cause) {
      if (Date.now() > deadline) {
        throw new PosthornError('ENVIRONMENT_UNSUITABLE', `${name} did not answer within ${timeoutMs / 1_000} s`, {
          stage: 'start',
          cause,
        })
      }
    }
    await delay(50)
  }
}
