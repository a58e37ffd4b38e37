/**
 * Notices that a folder changes, and that a connection is dead.
 *
 * The library ends IDLE by itself after a silence as long as its socket timeout, where the server refuses it, and when the
 * server ends it. So waiting is a loop: IDLE until something happens, then an exchange (NOOP) that proves that the other
 * side still answers, whose own time is bounded by the socket timeout.
 */
import type { ImapFlow } from 'imapflow'
import type { WaitOptions } from './mailbox.ts'

/** A server that ends IDLE sooner than this without news is not asked for it again in the same wait. */
const shortestIdleMs = 1_000

export class FolderWatch {
  readonly #flow: ImapFlow
  readonly #probeIntervalMs: number
  #hasChanged = false
  #wake: (() => void) | null = null

  constructor(flow: ImapFlow, probeIntervalMs: number) {
    this.#flow = flow
    this.#probeIntervalMs = probeIntervalMs
    // Without a listener an 'error' event ends the process; what it means is told by the call that fails.
    flow.on('error', () => this.#wake?.())
    flow.on('close', () => this.#wake?.())
    flow.on('exists', () => {
      this.#hasChanged = true
      this.#wake?.()
    })
  }

  /** Call when the folder has been opened: what is listed after that is complete. */
  clear(): void {
    this.#hasChanged = false
  }

  /** @param probe throws where the connection is dead */
  async wait(signal: AbortSignal, { idle, timeoutMs }: WaitOptions, probe: () => Promise<void>): Promise<void> {
    const end = Date.now() + timeoutMs
    let mayIdle = idle
    const isOver = () => signal.aborted || (idle && this.#hasChanged)
    while (!isOver()) {
      const begun = Date.now()
      if (begun >= end) return
      const hasIdleEnded = await this.#untilWoken(signal, mayIdle, Math.min(end - begun, this.#probeIntervalMs))
      if (hasIdleEnded && Date.now() - begun < shortestIdleMs) mayIdle = false
      // News prove that the other side lives.
      if (!isOver()) await probe()
    }
  }

  /** @returns true when IDLE ended without news */
  async #untilWoken(signal: AbortSignal, idle: boolean, timeoutMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    let wake: () => void = () => undefined
    const woken = new Promise<false>((resolve) => {
      wake = () => resolve(false)
      timer = setTimeout(wake, timeoutMs)
    })
    this.#wake = wake
    signal.addEventListener('abort', wake, { once: true })
    try {
      if (!idle) return await woken
      return await Promise.race([woken, this.#flow.idle().then(() => true, wake)]).then((ended) => ended === true)
    } finally {
      this.#wake = null
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
    }
  }
}
