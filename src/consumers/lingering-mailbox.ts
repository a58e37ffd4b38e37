import { PosthornError } from '../errors.ts'
import type { Mailbox } from '../mail/mailbox.ts'

const lingerMs = 60_000

/** A connection for work that comes now and then: opened when needed, kept for a while, thrown away after a failure. */
export class LingeringMailbox {
  readonly #connect: () => Promise<Mailbox>
  #mailbox: Mailbox | null = null
  #timer: NodeJS.Timeout | null = null
  #isClosed = false
  /** One use at a time: a connection has one selected folder. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(connect: () => Promise<Mailbox>) {
    this.#connect = connect
  }

  use<T>(work: (mailbox: Mailbox) => Promise<T>): Promise<T> {
    const run = this.#tail.then(() => this.#run(work))
    this.#tail = run.catch(() => undefined)
    return run
  }

  /** Lets go of the connection for good. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#disconnect()
  }

  async #run<T>(work: (mailbox: Mailbox) => Promise<T>): Promise<T> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#assertOpen()
    this.#mailbox ??= await this.#connect()
    try {
      this.#assertOpen()
      return await work(this.#mailbox)
    } catch (error) {
      // What failed may be the connection, and a new one costs little next to a stuck one.
      await this.#disconnect()
      throw error
    } finally {
      this.#timer = setTimeout(() => void this.#tail.then(() => this.#disconnect()), lingerMs)
      this.#timer.unref()
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new PosthornError('STOPPED', 'the account is let go', { stage: 'stop', retryable: true })
  }

  async #disconnect(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const mailbox = this.#mailbox
    this.#mailbox = null
    await mailbox?.close()
  }
}
