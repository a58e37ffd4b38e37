import type { Readable, Writable } from 'node:stream'

/** Everything that the command line has of the outside world, so that a test can be that world. */
export interface CliIo {
  env: Readonly<Record<string, string | undefined>>
  stdin: Readable & { isTTY?: boolean }
  /** Results only. */
  stdout: Writable
  /** Progress and errors. */
  stderr: Writable
  /** Aborted by SIGINT, SIGTERM and when nobody reads stdout any more: end in good order. */
  signal: AbortSignal
  /** Calls back when the configuration is to be read again (SIGHUP). */
  onReload: (listener: () => void) => void
  /** A new unique id. */
  createId: () => string
  /** Milliseconds since the epoch. */
  now: () => number
}

/** Waits for a slow reader instead of gathering output in memory; says nothing to one that is gone. */
export const writeText = async (stream: Writable, text: string): Promise<void> => {
  if (stream.destroyed || stream.write(text)) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error']) stream.off(event, done)
      resolve()
    }
    for (const event of ['drain', 'close', 'error']) stream.once(event, done)
  })
}
