/**
 * Runs mail transactions, one after the other, on a connection that `connect.ts` has made ready.
 *
 *     idle ──start──▶ busy ──last transaction settled──▶ idle
 *       │               │
 *       └──── quit ─────┴──── lost, 421, timeout, broken protocol ──▶ closed
 *
 * At most two transactions are under way. The first gets the replies. The second is there only when the server offers
 * PIPELINING: its envelope travels with the end of the first one's data or after it (RFC 2920 3.1), so that a mail costs
 * one round trip; its own content is never sent before the first one is settled.
 *
 * - A delivery settles exactly once: with an outcome, or with null: it was not sent, for a reason that was not its own, and
 *   may travel over another connection as if nothing had happened. The connection, used before, was gone or had lost its
 *   login before the mail began, or it went before the dot with the token that it was logged in with.
 * - Nothing is read or written after `closed`.
 * - Bytes of the content are handed to the socket one piece at a time, each when the system has taken the one before;
 *   the final dot of a big mail is handed over only when all before it was taken.
 */
import type { Socket } from 'node:net'
import { isPosthornError, PosthornError, toPosthornError, type Stage } from '../../errors.ts'
import type { DeliveryOutcome } from '../smtp-outcome.ts'
import { classifyTransaction, endsSession, unsent } from './classify-transaction.ts'
import type { SmtpLink } from './connect.ts'
import { DotStuffer } from './dot-stuffing.ts'
import { envelopeCommands, unsupported, type Envelope, type MessageNeeds } from './envelope.ts'
import { quoteReply, ReplyReader, type SmtpReply } from './reply.ts'
import { timeoutFor, type SmtpTimeouts } from './timeouts.ts'
import { SmtpTransaction, type TransactionPhase } from './transaction.ts'
import { pieceBytes, writeContent, type MailContent } from './write-content.ts'

/** A mail as SMTP sees it. */
export interface SmtpMessage {
  envelope: Envelope
  needs: MessageNeeds
  /** The mail with CRLF line ends, not dot-stuffed. Asked for once for each attempt, when the server waits for it. */
  content(): MailContent
}

export interface Delivery {
  message: SmtpMessage
  /** Null: not sent, and the reason was not its own. */
  settle(outcome: DeliveryOutcome | null): void
}

export interface SessionOptions {
  timeouts: SmtpTimeouts
  /** Asked when the next envelope could travel along; null: none waits. */
  next: (session: SmtpSession) => Delivery | null
  /** Nothing is under way. */
  onIdle: (session: SmtpSession) => void
  /** Once; all deliveries are settled. */
  onClosed: (session: SmtpSession, error: PosthornError | null) => void
}

interface Running {
  delivery: Delivery
  transaction: SmtpTransaction
  /** Whether an earlier transaction has shown that the connection lives. */
  reused: boolean
}

/** After a slower answer to the final dot the next mail does not wait behind this one's. */
const slowReplyMs = 1000

export class SmtpSession {
  readonly link: SmtpLink
  readonly #socket: Socket
  readonly #options: SessionOptions
  readonly #reader = new ReplyReader()
  readonly #running: Running[] = []
  /** Transactions begun. */
  started = 0
  /** Transactions that the server has settled. */
  settled = 0
  #reset = false
  #closed = false
  #timer: NodeJS.Timeout | null = null
  #dotAt = 0
  #answersFast = false

  constructor(link: SmtpLink, options: SessionOptions) {
    this.link = link
    this.#socket = link.socket
    this.#options = options
    this.#socket.on('data', (chunk) => this.#onData(chunk))
    this.#socket.on('error', (error) => this.#end(this.#lost(error)))
    this.#socket.on('close', () => this.#end(this.#lost(null)))
  }

  get closed(): boolean {
    return this.#closed
  }

  get idle(): boolean {
    return !this.#closed && this.#running.length === 0
  }

  /** Whether the envelope of another mail may be written now, behind the data of the one under way. */
  get takesAnother(): boolean {
    const [first, second] = this.#running
    if (this.#closed || !this.link.extensions.pipelining || !this.#answersFast) return false
    return second === undefined && first?.transaction.phase === 'ended'
  }

  /** Only when `idle` or `takesAnother`. */
  start(delivery: Delivery): void {
    const text = this.#begin(delivery)
    if (text !== '') this.#socket.write(text)
  }

  /** @returns the beginning of the envelope, to be written; empty: this server can't take the mail */
  #begin(delivery: Delivery): string {
    const { envelope, needs } = delivery.message
    const { extensions } = this.link
    const refused = unsupported(needs, extensions)
    if (refused !== null) {
      delivery.settle(unsent(refused, envelope.recipients))
      queueMicrotask(() => {
        if (this.idle) this.#options.onIdle(this)
      })
      return ''
    }
    const commands = envelopeCommands(envelope, needs, extensions)
    const transaction = new SmtpTransaction(commands, { pipelining: extensions.pipelining })
    this.#running.push({ delivery, transaction, reused: this.started > 0 })
    this.started += 1
    const text = transaction.begin(this.#reset)
    this.#reset = false
    if (this.#running.length === 1) this.#arm()
    return text
  }

  /** Says goodbye when nothing is under way; else breaks off. */
  async quit(waitMs = 2000): Promise<void> {
    if (this.#closed) return
    if (this.#running.length > 0) return this.destroy(stopped())
    this.#closed = true
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#socket.destroy(), waitMs)
      this.#socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.#socket.end('QUIT\r\n')
    })
    this.#options.onClosed(this, null)
  }

  destroy(error: PosthornError): void {
    this.#end(error)
  }

  #onData(chunk: Buffer): void {
    if (this.#closed) return
    try {
      const replies = this.#reader.push(chunk)
      for (const [at, reply] of replies.entries()) {
        this.#onReply(reply, at < replies.length - 1)
        if (this.#closed) return
      }
    } catch (error) {
      this.#end(toPosthornError(error, 'reply'))
    }
  }

  #onReply(reply: SmtpReply, isFollowed: boolean): void {
    const head = this.#running[0]
    // RFC 5321 3.8: a server that gives up an idle connection says 421.
    if (head === undefined) return this.#end(connectionLost(this.link.server, quoteReply(reply), 'connect'))
    const step = head.transaction.receive(reply, isFollowed)
    switch (step.do) {
      case 'wait':
        return this.#arm()
      case 'write':
        this.#socket.write(step.text)
        return this.#arm()
      case 'send-content':
        return this.#sendContent(head)
      case 'settle':
        return this.#settle(head, step.reset, step.closing)
      default:
        return step satisfies never
    }
  }

  #settle({ delivery, transaction, reused }: Running, reset: boolean, closing: boolean): void {
    if (transaction.facts.dotWritten) this.#answersFast = performance.now() - this.#dotAt < slowReplyMs
    this.#running.shift()
    const outcome = classifyTransaction(transaction.facts, delivery.message.envelope.recipients)
    const lost = (): PosthornError => connectionLost(this.link.server, 'the server closes it', 'connect')
    if (endsSession(transaction.facts)) {
      this.link.token?.discard()
      delivery.settle(reused ? null : outcome)
      return this.#end(outcome.error ?? lost())
    }
    this.settled += 1
    if (reset) this.#reset = true
    delivery.settle(outcome)
    if (closing) return this.#end(lost())
    this.#arm()
    if (this.#running.length === 0) this.#options.onIdle(this)
  }

  #sendContent(running: Running): void {
    const { transaction, delivery } = running
    let content: MailContent
    try {
      content = delivery.message.content()
    } catch (error) {
      return this.#giveUp(running, error)
    }
    if (Buffer.isBuffer(content) && content.length <= pieceBytes) {
      const stuffer = new DotStuffer()
      const piece = stuffer.push(content)
      transaction.dotWritten()
      return this.#finish(piece, stuffer.end())
    }
    this.#arm()
    const inContent = (): boolean => transaction.phase === 'content'
    const progress = (): void => this.#arm()
    writeContent(this.#socket, content, { wanted: inContent, progress }).then(
      (end) => {
        if (!inContent()) return
        transaction.dotWritten()
        this.#finish(end)
      },
      (error: unknown) => this.#giveUp(running, error),
    )
  }

  /** Writes the end of the data, and the next envelope with it: one write, since each costs more than the copy. */
  #finish(...end: Buffer[]): void {
    this.#dotAt = performance.now()
    this.#arm()
    const next = this.takesAnother ? this.#options.next(this) : null
    if (next !== null) end.push(Buffer.from(this.#begin(next)))
    this.#socket.write(Buffer.concat(end))
  }

  /** The content can't be had: the only way to take back a DATA is to break off before its dot. */
  #giveUp(running: Running, cause: unknown): void {
    if (running.transaction.phase !== 'content') return
    this.#end(isPosthornError(cause) ? cause : toPosthornError(cause, 'compose'))
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const head = this.#running[0]
    this.#timer =
      head === undefined
        ? null
        : setTimeout(() => this.#onTimeout(), timeoutFor(head.transaction.awaited, this.#options.timeouts))
  }

  #onTimeout(): void {
    const { transaction } = this.#running[0] ?? {}
    const awaited = transaction?.awaited ?? null
    const what = awaited === null ? 'did not take the content' : `did not answer ${awaited}`
    const stage = stageOf(transaction)
    this.#end(new PosthornError('SMTP_TIMEOUT', `${this.link.server} ${what} in time`, { stage, retryable: true }))
  }

  #lost(error: NodeJS.ErrnoException | null): PosthornError {
    const why = error?.code ?? 'closed by the server'
    return connectionLost(this.link.server, why, stageOf(this.#running[0]?.transaction))
  }

  #end(error: PosthornError): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#socket.destroy()
    const isLost = error.code === 'SMTP_CONNECTION_LOST'
    const isExpiry = isLost && this.link.token?.hasExpired() === true
    for (const [at, { delivery, transaction, reused }] of this.#running.splice(0).entries()) {
      const neverAnswered = !transaction.answered && reused && (at > 0 || isLost)
      const unharmed = neverAnswered || (isExpiry && !transaction.facts.dotWritten)
      transaction.lose(error)
      const { recipients } = delivery.message.envelope
      delivery.settle(unharmed ? null : classifyTransaction(transaction.facts, recipients))
    }
    this.#options.onClosed(this, error)
  }
}

const stageOf = (transaction: SmtpTransaction | undefined): Stage =>
  transaction === undefined ? 'connect' : stages[transaction.phase]

const stages: Record<TransactionPhase, Stage> = {
  envelope: 'envelope',
  content: 'data',
  ended: 'reply',
  settled: 'reply',
}

const connectionLost = (server: string, why: string, stage: Stage): PosthornError =>
  new PosthornError('SMTP_CONNECTION_LOST', `the connection to ${server} was lost (${why})`, { stage, retryable: true })

const stopped = (): PosthornError =>
  new PosthornError('STOPPED', 'Posthorn stopped before the mail was sent', { stage: 'stop', retryable: true })
