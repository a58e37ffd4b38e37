/**
 * Keeps one folder watched for as long as its account is owned.
 *
 * States: connecting → syncing ⇄ waiting → (trouble → pause → connecting) → stopped. Every failure ends in one place: the
 * connection is thrown away, the pause grows, a new connection is made. The pause shrinks back only after a whole sync,
 * so a server that accepts connections and then fails is not hammered.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Backoff } from '../backoff.ts'
import type { ReceiveRule } from '../config/config.ts'
import { toPosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import type { FolderReceiver } from './receive-folder.ts'

export interface ListenerDependencies {
  account: string
  rule: ReceiveRule
  connect: () => Promise<Mailbox>
  receiver: FolderReceiver
  backoff: Backoff
  emit: Emit
}

export class FolderListener {
  readonly #deps: ListenerDependencies
  readonly #abort = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #hasSynced = false

  constructor(deps: ListenerDependencies) {
    this.#deps = deps
  }

  get folder(): string {
    return this.#deps.rule.folder
  }

  /** True once the folder has been synced for the first time. */
  get hasSynced(): boolean {
    return this.#hasSynced
  }

  start(): void {
    this.#running = this.#run(this.#abort.signal)
  }

  /** Lets go of the connection. What is under way fails and is repeated by the next owner. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the listener is stopped'))
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { account, rule, backoff, emit } = this.#deps
    while (!signal.aborted) {
      try {
        await this.#listen(signal)
      } catch (cause) {
        if (signal.aborted) return
        const error = toPosthornError(cause, 'fetch')
        const retryInMs = backoff.next(error.retryAfterMs ?? 0)
        emit({
          type: 'FolderTrouble',
          account,
          folder: rule.folder,
          code: error.code,
          message: error.message,
          retryInMs,
        })
        await delay(retryInMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { rule, connect, receiver, backoff } = this.#deps
    const mailbox = await connect()
    // An aborted wait must not keep a fetch alive that nobody will use.
    const onAbort = () => void mailbox.close()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!signal.aborted) {
        await receiver.sync(mailbox, signal)
        this.#hasSynced = true
        backoff.reset()
        await mailbox.wait(signal, { idle: rule.idle, timeoutMs: rule.pollMs })
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      await mailbox.close()
    }
  }
}
