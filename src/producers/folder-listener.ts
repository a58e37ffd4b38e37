/**
 * Keeps folders watched over one connection for as long as their account is owned.
 *
 * States: connecting → syncing ⇄ waiting → (trouble → pause → connecting) → stopped. What ends the connection or keeps it
 * from coming about ends in one place: it is thrown away, the pause grows, a new one is made. The pause shrinks back only
 * after a whole sync, so a server that accepts connections and then fails is not hammered. A folder that the server
 * refuses (missing, no permission) has pauses of its own, and the others on the connection go on.
 *
 * Where an account may have one connection only, mailbox commands run on this one, between two syncs (`use`).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Backoff } from '../backoff.ts'
import type { ReceiveRule } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { orAborted } from '../lifecycle.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import type { FolderReceiver } from './receive-folder.ts'

export interface ListenerDependencies {
  account: string
  /** At least one. With several, IDLE tells of the last; the others are looked at when their `poll` is over. */
  folders: readonly { rule: ReceiveRule; receiver: Pick<FolderReceiver, 'sync' | 'retryInMs'> }[]
  /** May wait until the account can be used at all. */
  connect: (signal: AbortSignal) => Promise<Mailbox>
  newBackoff: (bounds: { firstMs: number; maxMs: number }) => Backoff
  emit: Emit
  now: () => number
}

const troublePause = { firstMs: 1_000, maxMs: 5 * 60_000 }
/** Servers lock accounts that try a refused login over and over. */
const loginPause = { firstMs: 10_000, maxMs: 15 * 60_000 }

interface Watched {
  rule: ReceiveRule
  receiver: Pick<FolderReceiver, 'sync' | 'retryInMs'>
  backoff: Backoff
  hasSynced: boolean
  /** Not to be looked at before this time, milliseconds since the epoch. */
  pausedUntil: number
}

interface Errand {
  run: (mailbox: Mailbox) => Promise<void>
  fail: (error: PosthornError) => void
}

export class FolderListener {
  readonly #deps: ListenerDependencies
  readonly #abort = new AbortController()
  readonly #folders: Watched[]
  readonly #backoff: Backoff
  readonly #loginBackoff: Backoff
  readonly #errands: Errand[] = []
  /** Why no connection came about, until one does. */
  #trouble: PosthornError | null = null
  /** Aborted to end the wait that is under way. */
  #wait = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(deps: ListenerDependencies) {
    this.#deps = deps
    this.#backoff = deps.newBackoff(troublePause)
    this.#loginBackoff = deps.newBackoff(loginPause)
    this.#folders = deps.folders.map(({ rule, receiver }) => ({
      rule,
      receiver,
      backoff: deps.newBackoff(troublePause),
      hasSynced: false,
      pausedUntil: 0,
    }))
    this.#abort.signal.addEventListener('abort', () => this.#wait.abort(), { once: true })
  }

  /** The folders that have not been synced yet. */
  get unsynced(): string[] {
    return this.#folders.filter(({ hasSynced }) => !hasSynced).map(({ rule }) => rule.folder)
  }

  start(): void {
    this.#running = this.#run(this.#abort.signal)
  }

  /** Lets go of the connection. What is under way fails and is repeated by the next owner. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the listener is stopped'))
    await this.#running
    this.#failErrands(letGo())
  }

  /**
   * Runs work on this connection as soon as it has nothing else to do.
   *
   * @param signal aborted: work that has not begun is not waited for any more
   * @throws what `work` throws, or why there is no connection; PosthornError `STOPPED`
   */
  use<T>(work: (mailbox: Mailbox) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#abort.signal.aborted || signal.aborted) return Promise.reject(letGo())
    if (this.#trouble !== null) return Promise.reject(this.#trouble)
    return new Promise((resolve, reject) => {
      const run = async (mailbox: Mailbox) => {
        try {
          resolve(await work(mailbox))
        } catch (cause) {
          const error = toPosthornError(cause, 'command')
          reject(error)
          if (error.retryable) throw error
        }
      }
      const errand = { run, fail: reject }
      this.#errands.push(errand)
      const withdraw = () => {
        const at = this.#errands.indexOf(errand)
        if (at >= 0) this.#errands.splice(at, 1)
        if (at >= 0) reject(letGo())
      }
      signal.addEventListener('abort', withdraw, { once: true })
      this.#wait.abort()
    })
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#listen(signal)
      } catch (cause) {
        if (signal.aborted) return
        const error = toPosthornError(cause, 'fetch')
        this.#failErrands(error)
        const backoff = error.code === 'IMAP_AUTHENTICATION_FAILED' ? this.#loginBackoff : this.#backoff
        const retryInMs = backoff.next(error.retryAfterMs ?? 0)
        for (const { rule } of this.#folders) this.#tell(rule.folder, error, retryInMs)
        await delay(retryInMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const connecting = this.#deps.connect(signal)
    // A server may keep it waiting for long; one that comes too late is closed unused.
    connecting.then((mailbox) => (signal.aborted ? mailbox.close() : undefined)).catch(() => undefined)
    const mailbox = await orAborted(connecting, signal).catch((cause: unknown) => {
      throw (this.#trouble = toPosthornError(cause, 'connect'))
    })
    this.#trouble = null
    // An aborted wait must not keep a fetch alive that nobody will use.
    const onAbort = () => void mailbox.close()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!signal.aborted) {
        // One that breaks the connection leaves the others in the queue.
        for (let next = this.#errands.shift(); next !== undefined; next = this.#errands.shift()) await next.run(mailbox)
        for (const folder of this.#folders) await this.#sync(folder, mailbox, signal)
        this.#backoff.reset()
        this.#loginBackoff.reset()
        await this.#waitOn(mailbox, signal)
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      await mailbox.close()
    }
  }

  async #sync(folder: Watched, mailbox: Mailbox, signal: AbortSignal): Promise<void> {
    const { rule, receiver, backoff } = folder
    if (folder.pausedUntil > this.#deps.now()) return
    try {
      await receiver.sync(mailbox, signal)
      folder.hasSynced = true
      backoff.reset()
    } catch (cause) {
      const error = toPosthornError(cause, 'fetch')
      const isOfFolder = error.code === 'IMAP_FOLDER_MISSING' || error.code === 'IMAP_COMMAND_FAILED'
      if (!isOfFolder || error.retryable || signal.aborted) throw error
      const retryInMs = backoff.next(error.retryAfterMs ?? 0)
      folder.pausedUntil = this.#deps.now() + retryInMs
      this.#tell(rule.folder, error, retryInMs)
    }
  }

  async #waitOn(mailbox: Mailbox, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#errands.length > 0) return
    this.#wait = new AbortController()
    const now = this.#deps.now()
    const pauses = this.#folders.map(({ rule, receiver, pausedUntil }) =>
      pausedUntil > now ? pausedUntil - now : Math.min(rule.pollMs, receiver.retryInMs ?? rule.pollMs),
    )
    const idle = this.#folders.at(-1)?.rule.idle ?? false
    await mailbox.wait(this.#wait.signal, { idle, timeoutMs: Math.min(...pauses) })
  }

  #failErrands(error: PosthornError): void {
    for (const { fail } of this.#errands.splice(0)) fail(error)
  }

  #tell(folder: string, { code, message }: PosthornError, retryInMs: number): void {
    this.#deps.emit({ type: 'FolderTrouble', account: this.#deps.account, folder, code, message, retryInMs })
  }
}

const letGo = (): PosthornError =>
  new PosthornError('STOPPED', 'the connection is let go, or not waited for', { stage: 'stop', retryable: true })
