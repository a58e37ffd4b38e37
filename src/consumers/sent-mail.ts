/** The mails that an account has sent, as its mailbox shows them: looked for under VERIFY, kept for `saveToFolder`. */
import { setTimeout as delay } from 'node:timers/promises'
import type { AccountConfig } from '../config/config.ts'
import { isPosthornError, PosthornError } from '../errors.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { findByMessageId } from '../producers/select-messages.ts'
import { LingeringMailbox } from './lingering-mailbox.ts'

export interface SentMailOptions {
  sentFolder: AccountConfig['sentFolder']
  connect: () => Promise<Mailbox>
  now: () => number
  /** How long a mail may take to appear, milliseconds. */
  patienceMs?: number
}

const defaultPatienceMs = 10_000
const lookEveryMs = 1_000

export class SentMail {
  readonly #options: SentMailOptions
  readonly #mailbox: LingeringMailbox
  readonly #abort = new AbortController()

  constructor(options: SentMailOptions) {
    this.#options = options
    this.#mailbox = new LingeringMailbox(options.connect)
  }

  /** @throws PosthornError `IMAP_*`, `STOPPED` */
  async has(messageId: string): Promise<boolean> {
    const { now, patienceMs = defaultPatienceMs } = this.#options
    for (const end = now() + patienceMs; ;) {
      if (await this.#use((mailbox) => this.#isIn(mailbox, null, messageId))) return true
      if (now() >= end) return false
      await delay(lookEveryMs, undefined, { signal: this.#abort.signal }).catch(() => undefined)
    }
  }

  /** Does nothing when it is there already: an earlier try may have come so far, or the provider keeps what it sends. */
  save(folder: string, messageId: string, read: () => Promise<Buffer>): Promise<void> {
    return this.#use(async (mailbox) => {
      await mailbox.createFolder(folder)
      if (!(await this.#isIn(mailbox, folder, messageId))) await mailbox.append(folder, await read(), ['\\Seen'])
    })
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.#mailbox.close()
  }

  #use<T>(work: (mailbox: Mailbox) => Promise<T>): Promise<T> {
    if (!this.#abort.signal.aborted) return this.#mailbox.use(work)
    return Promise.reject(
      new PosthornError('STOPPED', 'Posthorn stopped before the mailbox was asked', { stage: 'stop' }),
    )
  }

  /** @param folder null: where the account keeps what it has sent; nothing is in a folder that does not exist */
  async #isIn(mailbox: Mailbox, folder: string | null, messageId: string): Promise<boolean> {
    const path = folder ?? this.#options.sentFolder ?? (await mailbox.findSpecialFolder('\\Sent'))
    if (path === null) return false
    try {
      await mailbox.open(path, { readOnly: true })
    } catch (error) {
      if (isPosthornError(error) && error.code === 'IMAP_FOLDER_MISSING') return false
      throw error
    }
    return (await findByMessageId(mailbox, messageId)).length > 0
  }
}
