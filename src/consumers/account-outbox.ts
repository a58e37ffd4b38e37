/** The sending side of one account: its rules, its composer, its connections. */
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { SendRequest } from '../avro/records.ts'
import type { AccountConfig, Config, SmtpConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { AttachmentStore } from '../mail/attachment-store.ts'
import type { AccountTokens } from '../mail/access-tokens.ts'
import type { AccountConnections } from '../mail/account-connections.ts'
import { composeMessage, type ComposedMessage, type ComposeDependencies } from '../mail/compose/compose-message.ts'
import { readMailboxes } from '../mail/compose/mailbox-list.ts'
import { messageIdOf, requireValid, type SendingRules } from '../mail/compose/validate-request.ts'
import { sendInPortions } from '../mail/send-in-portions.ts'
import { SmtpSender } from '../mail/smtp-sender.ts'
import type { Outbox, PreparedMail } from './outbox.ts'
import type { MailSeed } from './send-history.ts'
import { SentMail } from './sent-mail.ts'

export interface OutboxDependencies {
  config: Pick<Config, 'limits' | 'storage'>
  /** Null: requests can't refer to objects. */
  store: AttachmentStore | null
  connections: AccountConnections
  emit: Emit
  now: () => number
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number
  /** How long a sent mail may take to appear in the account's folder, milliseconds. */
  verifyPatienceMs?: number
}

const nobody: ReadonlySet<string> = new Set()

export class AccountOutbox implements Outbox {
  readonly #rules: SendingRules
  readonly #compose: Pick<ComposeDependencies, 'dkim' | 'openObject'>
  readonly #sender: SmtpSender
  readonly #tokens: AccountTokens | undefined
  /** Null: the account has no mailbox, and its requests can't need one. */
  readonly #sent: SentMail | null
  /** The server refuses the account, and that has been told. */
  #isRefused = false
  #isReplaced = false
  /** Deliveries and what is done in the mailbox. */
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #tellResumed: () => void

  constructor(account: AccountConfig, smtp: SmtpConfig, deps: OutboxDependencies) {
    const { config, store, connections, emit, now, random, verifyPatienceMs } = deps
    const { name, imap, sentFolder } = account
    this.#rules = {
      from: smtp.from,
      allowedFrom: smtp.allowedFrom,
      maxMessageBytes: config.limits.maxMessageBytes,
      readableBuckets: config.storage?.readableBuckets ?? null,
      hasMailbox: imap !== null,
    }
    this.#compose = {
      dkim: smtp.dkim,
      openObject: async (object) => (await requireStore(store)).open(object),
    }
    const ownPath = pathOf(smtp.from)
    this.#tokens = connections.accessTokens(account, smtp.auth)
    this.#sender = new SmtpSender(smtp, {
      now,
      random,
      accessTokens: this.#tokens,
      isOwnSender: (path) => path === ownPath,
      onTrouble: ({ code, message, action }, retryInMs) => {
        // A pause has been told of, and lasts.
        if (!this.isPaused) emit({ type: 'SmtpTrouble', account: name, code, message, action, retryInMs })
      },
      onRefused: ({ code, message, action }, retryInMs) => {
        if (this.#isReplaced) return
        this.#isRefused = true
        emit({ type: 'AccountPaused', account: name, code, message, action, retryInMs })
      },
      onAccepted: () => this.#tellResumed(),
    })
    this.#tellResumed = () => {
      if (this.#isRefused) emit({ type: 'AccountResumed', account: name })
      this.#isRefused = false
    }
    const patience = verifyPatienceMs === undefined ? {} : { patienceMs: verifyPatienceMs }
    const connect = () => connections.openMailbox(account)
    this.#sent = imap === null ? null : new SentMail({ sentFolder, connect, now, ...patience })
  }

  get isPaused(): boolean {
    return (this.#tokens?.paused ?? null) !== null
  }

  messageIdOf(request: SendRequest): string {
    return messageIdOf(request, this.#rules)
  }

  validate(request: SendRequest): void {
    requireValid(request, this.#rules)
  }

  async prepare(
    request: SendRequest,
    messageId: string,
    except: ReadonlySet<string>,
    seed: MailSeed,
  ): Promise<PreparedMail> {
    const message = await this.#composed(request, messageId, except, seed)
    const unknown = { status: 'DEFERRED', responseCode: null, enhancedCode: null, response: null } as const
    return {
      recipients: message.envelope.recipients.map(({ address }) => ({ address, ...unknown })),
      deliver: (signal) => this.#count(sendInPortions(message, (portion) => this.#sender.send(portion, signal))),
    }
  }

  async wasSent(messageId: string): Promise<boolean> {
    return this.#sent === null ? false : this.#count(this.#sent.has(messageId))
  }

  async save(request: SendRequest, messageId: string, seed: MailSeed): Promise<void> {
    const { content } = await this.#composed(request, messageId, nobody, seed)
    const read = async (): Promise<Buffer> => {
      const mail = content()
      if (Buffer.isBuffer(mail)) return mail
      const pieces: Buffer[] = []
      for await (const piece of mail) pieces.push(piece)
      return Buffer.concat(pieces)
    }
    if (this.#sent !== null) await this.#count(this.#sent.save(request.saveToFolder ?? '', messageId, read))
  }

  /** Gives back the mails whose signal was aborted and that no connection has taken. */
  withdraw(): void {
    this.#sender.withdraw()
  }

  /** The account is configured otherwise now: whatever it was refused for no longer counts. */
  replaced(): void {
    this.#isReplaced = true
    this.#tellResumed()
  }

  /** Resolves when no server is being asked for anything. */
  async whenIdle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }

  async close(graceMs: number): Promise<void> {
    const late = new AbortController()
    const end = delay(graceMs, undefined, { signal: late.signal }).catch(() => undefined)
    await this.#sender.close({ graceMs })
    // What is looked up or saved over IMAP ends as what is sent does.
    await Promise.race([this.whenIdle(), end])
    late.abort()
    await this.#sent?.close()
  }

  #count<T>(work: Promise<T>): Promise<T> {
    const counted = work.finally(() => this.#underWay.delete(counted))
    this.#underWay.add(counted)
    return counted
  }

  #composed(
    request: SendRequest,
    messageId: string,
    except: ReadonlySet<string>,
    seed: MailSeed,
  ): Promise<ComposedMessage> {
    const deps = { ...this.#compose, now: () => seed.at, randomToken: growTokens(seed.token) }
    return composeMessage(requireValid(request, this.#rules, messageId), deps, except)
  }
}

/** The same tokens for the same seed, none to be guessed from another. */
const growTokens = (seed: string): (() => string) => {
  let next = 0
  return () => {
    next += 1
    return next === 1 ? seed : createHash('sha256').update(`${next} ${seed}`).digest('hex').slice(0, 32)
  }
}

const pathOf = (from: string | null): string | null => {
  const mailboxes = readMailboxes(from ?? '')
  return typeof mailboxes === 'string' ? null : (mailboxes[0]?.path ?? null)
}

const requireStore = async (store: AttachmentStore | null): Promise<AttachmentStore> => {
  if (store !== null) return store
  throw new PosthornError(
    'REQUEST_OBJECT_UNREADABLE',
    'the request refers to an object, but no storage is configured',
    {
      stage: 'compose',
      action: 'Configure storage, or put the content into the request.',
    },
  )
}
