/**
 * The connections of one account and the mails that wait for them.
 *
 * - A mail goes over an idle connection; where there is none, over a new one, up to `connections`; where there are as
 *   many, behind the mail of one that can take another (see `session.ts`); else it waits.
 * - `send` tries once. What is lost before the server answered anything to it, on a connection that had served before,
 *   goes over another: servers close idle connections at will.
 * - A connection that can't be made ready, or that ends without having served, counts as a failure. After one, no
 *   connection is tried for a while that grows with each (`backoff`). Mails wait while another connection lives; with
 *   none left they are answered at once with the failure, so that an outage costs one attempt and not one for each mail.
 * - When the server refuses the account (its login, or mail from its own address), everything that waits is answered with that
 *   until the pause is over; then the next mail is the probe.
 */
import { Backoff } from '../backoff.ts'
import type { SmtpConfig } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import { Alarm } from './alarm.ts'
import type { DeliveryOutcome } from './smtp-outcome.ts'
import { unsent } from './smtp/classify-transaction.ts'
import { connectSmtp, type ConnectDependencies, type SmtpLink } from './smtp/connect.ts'
import { SendRate } from './smtp/send-rate.ts'
import { SmtpSession, type Delivery, type SmtpMessage } from './smtp/session.ts'
import { defaultTimeouts, type SmtpTimeouts } from './smtp/timeouts.ts'

export type SmtpSenderOptions = Omit<SmtpConfig, 'from' | 'allowedFrom' | 'dkim'>

export interface SmtpSenderDependencies extends Omit<ConnectDependencies, 'signal'> {
  now: () => number
  random: () => number
  timeouts?: SmtpTimeouts
  /** After which an idle connection is closed, milliseconds. */
  idleMs?: number
  /** Pauses between failed connections, milliseconds. */
  backoff?: { firstMs: number; maxMs: number }
  /** A connection failed; the next is tried after `retryInMs`. */
  onTrouble?: (error: PosthornError, retryInMs: number) => void
  /** Whether the mail's sender is the account's own: who else is refused says nothing about the account. */
  isOwnSender?: (path: string) => boolean
  /** The server refuses the account; the next try is after `retryInMs`. */
  onRefused?: (error: PosthornError, retryInMs: number) => void
  /** The server serves the account again. */
  onAccepted?: () => void
}

interface Waiting {
  message: SmtpMessage
  signal: AbortSignal | undefined
  resolve: (outcome: DeliveryOutcome) => void
}

/** A refused account is tried less often: providers lock accounts that knock too often. */
const refusedPauseFactor = 20

export class SmtpSender {
  readonly #options: SmtpSenderOptions
  readonly #deps: SmtpSenderDependencies
  readonly #rate: SendRate | null
  readonly #backoff: Backoff
  readonly #waiting: Waiting[] = []
  readonly #sessions = new Set<SmtpSession>()
  /** Most recently used last, so that the others can go when there is less to do. */
  readonly #idle: SmtpSession[] = []
  readonly #idleTimers = new Map<SmtpSession, NodeJS.Timeout>()
  readonly #abort = new AbortController()
  #connecting = 0
  /** Why no connection is tried before `#retryAt`; null: none has failed yet. */
  #failure: PosthornError | null = null
  /** Why the server refuses the account; null: it does not. */
  #refusal: PosthornError | null = null
  /** No connection is tried before; on the injected clock. */
  #retryAt = 0
  readonly #alarm: Alarm
  #stopping = false
  #whenEmpty: (() => void) | null = null

  constructor(options: SmtpSenderOptions, deps: SmtpSenderDependencies) {
    this.#options = options
    this.#deps = deps
    this.#rate = options.rate === null ? null : new SendRate(options.rate)
    const { firstMs, maxMs } = deps.backoff ?? { firstMs: 500, maxMs: 15_000 }
    this.#backoff = new Backoff({ firstMs, maxMs, random: deps.random })
    this.#alarm = new Alarm(() => this.#dispatch(), deps.now)
  }

  /**
   * Never rejects: every failure is an outcome.
   *
   * @param signal aborted, the mail is not begun any more; nobody listens to it, see `withdraw`
   */
  send(message: SmtpMessage, signal?: AbortSignal): Promise<DeliveryOutcome> {
    return new Promise((resolve) => {
      if (this.#stopping || signal?.aborted === true) return resolve(unsent(stopped(), message.envelope.recipients))
      this.#waiting.push({ message, signal, resolve })
      this.#dispatch()
    })
  }

  /** Answers the mails whose signal was aborted while they waited for a connection. */
  withdraw(): void {
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.signal?.aborted !== true) this.#waiting.push(waiting)
      else waiting.resolve(unsent(stopped(), waiting.message.envelope.recipients))
    }
  }

  /**
   * Lets what was given finish, for at most `graceMs`; then breaks off. Every `send` is answered before this resolves.
   */
  async close({ graceMs }: { graceMs: number }): Promise<void> {
    this.#stopping = true
    if (this.#busy) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs)
        this.#whenEmpty = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#alarm.cancel()
    this.#abort.abort()
    this.#failWaiting(stopped())
    await Promise.all([...this.#sessions].map((session) => session.quit()))
  }

  get #busy(): boolean {
    return this.#waiting.length > 0 || [...this.#sessions].some((session) => !session.idle)
  }

  #dispatch(): void {
    this.#assign()
    if (!this.#busy) this.#whenEmpty?.()
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      if (this.#refusal !== null && this.#retryAt > this.#deps.now()) return this.#failWaiting(this.#refusal)
      const waitMs = this.#rate?.waitMs(this.#deps.now()) ?? 0
      if (waitMs > 0) return this.#alarm.setIn(waitMs)
      const session = this.#takeIdle() ?? this.#openOrFind()
      if (session === null) return
      const delivery = this.#nextDelivery()
      if (delivery !== null) session.start(delivery)
    }
  }

  #takeIdle(): SmtpSession | null {
    const session = this.#idle.pop() ?? null
    if (session !== null) this.#stopIdleTimer(session)
    return session
  }

  /** Opens a connection when more mails wait than are being opened for; meanwhile another may have room. */
  #openOrFind(): SmtpSession | null {
    const { connections } = this.#options
    const pauseMs = this.#retryAt - this.#deps.now()
    if (this.#connecting < this.#waiting.length && this.#sessions.size + this.#connecting < connections) {
      if (pauseMs <= 0) {
        void this.#connect()
      } else if (this.#sessions.size + this.#connecting === 0) {
        this.#failWaiting(this.#failure ?? stopped())
        return null
      } else {
        this.#alarm.setIn(pauseMs)
      }
    }
    if (this.#sessions.size + this.#connecting < connections && pauseMs <= 0) return null
    for (const session of this.#sessions) if (session.takesAnother && !this.#isWorn(session)) return session
    return null
  }

  async #connect(): Promise<void> {
    this.#connecting += 1
    let link: SmtpLink
    try {
      link = await connectSmtp(this.#options, { ...this.#deps, signal: this.#abort.signal })
    } catch (error) {
      this.#connecting -= 1
      this.#failed(toPosthornError(error, 'connect'))
      this.#dispatch()
      return
    }
    this.#connecting -= 1
    if (this.#abort.signal.aborted) return void link.socket.destroy()
    const session = new SmtpSession(link, {
      timeouts: this.#deps.timeouts ?? defaultTimeouts,
      next: (session) => (this.#isWorn(session) || this.#mustWait() ? null : this.#nextDelivery()),
      onIdle: (session) => this.#onIdle(session),
      onClosed: (session, error) => this.#onClosed(session, error),
    })
    this.#sessions.add(session)
    this.#onIdle(session)
  }

  #onIdle(session: SmtpSession): void {
    if (session.settled > 0 && this.#refusal === null) this.#backoff.reset()
    if (this.#isWorn(session)) {
      void session.quit()
      return this.#dispatch()
    }
    this.#idle.push(session)
    const timer = setTimeout(() => {
      this.#takeOut(session)
      void session.quit()
    }, this.#deps.idleMs ?? 30_000)
    this.#idleTimers.set(session, timer)
    this.#dispatch()
  }

  #onClosed(session: SmtpSession, error: PosthornError | null): void {
    this.#sessions.delete(session)
    this.#takeOut(session)
    // A mail whose own content breaks off says nothing about the server, nor does the end of a token's time.
    const isExpiry = error?.code === 'SMTP_CONNECTION_LOST' && session.link.token?.hasExpired() === true
    if (error?.code.startsWith('SMTP_') === true && session.settled === 0 && !isExpiry) this.#failed(error)
    this.#dispatch()
  }

  /** Whether a connection has carried as many mails as it may. */
  #isWorn(session: SmtpSession): boolean {
    const { messagesPerConnection } = this.#options
    return messagesPerConnection !== null && session.started >= messagesPerConnection
  }

  #mustWait(): boolean {
    return (this.#rate?.waitMs(this.#deps.now()) ?? 0) > 0
  }

  #nextDelivery(): Delivery | null {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) return null
    this.#rate?.take(this.#deps.now())
    return {
      message: waiting.message,
      settle: (outcome) => {
        if (outcome !== null) {
          const isOwn = this.#deps.isOwnSender?.(waiting.message.envelope.from) ?? true
          const known = { ...outcome, accountFailure: outcome.accountFailure && isOwn }
          this.#learnFrom(known)
          return waiting.resolve(known)
        }
        // Each time costs a connection that had served, and it is the next one's first: a new one answers or fails.
        this.#waiting.unshift(waiting)
        if (this.#abort.signal.aborted) this.#failWaiting(stopped())
        else this.withdraw()
      },
    }
  }

  #learnFrom({ accountFailure, recipients, error }: DeliveryOutcome): void {
    if (accountFailure && error !== null) {
      this.#pause(error, true)
    } else if (this.#refusal !== null && recipients.some(({ responseCode }) => responseCode !== null)) {
      // Any answer to a recipient says that the account is served.
      this.#refusal = null
      this.#retryAt = 0
      this.#deps.onAccepted?.()
    }
  }

  #failed(error: PosthornError): void {
    // Who is served by another connection is not refused.
    this.#pause(error, error.code === 'SMTP_AUTHENTICATION_FAILED' && this.#sessions.size === 0)
  }

  #pause(error: PosthornError, isRefusal: boolean): void {
    // Connections that were tried side by side fail together, as one.
    if (this.#abort.signal.aborted || this.#retryAt > this.#deps.now()) return
    const pauseMs = this.#backoff.next() * (isRefusal ? refusedPauseFactor : 1)
    this.#failure = error
    this.#retryAt = this.#deps.now() + pauseMs
    if (isRefusal) {
      this.#refusal = error
      this.#deps.onRefused?.(error, pauseMs)
    } else {
      this.#deps.onTrouble?.(error, pauseMs)
    }
  }

  #failWaiting(error: PosthornError): void {
    const isRefused = error === this.#refusal
    for (const { message, resolve } of this.#waiting.splice(0)) {
      resolve(unsent(error, message.envelope.recipients, isRefused))
    }
  }

  #takeOut(session: SmtpSession): void {
    const at = this.#idle.indexOf(session)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#stopIdleTimer(session)
  }

  #stopIdleTimer(session: SmtpSession): void {
    clearTimeout(this.#idleTimers.get(session))
    this.#idleTimers.delete(session)
  }
}

const stopped = (): PosthornError =>
  new PosthornError('STOPPED', 'Posthorn stopped before the mail was sent', { stage: 'stop', retryable: true })
