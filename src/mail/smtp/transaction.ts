/**
 * One mail transaction (RFC 5321 3.3) as a state machine (pure): it is told what the server replied and what was
 * written, and says what comes next.
 *
 *     envelope ──354──▶ content ──dot handed to the socket──▶ ended ──reply──▶ settled
 *        │                 │                                    │
 *        └──── refused ────┴──── lost: the mail was not sent    └──── lost: nobody knows
 *
 * - `envelope`: RSET where the connection is left over from a transaction that was given up, MAIL, RCPT for each
 *   recipient, DATA. With PIPELINING (RFC 2920) all of them travel at once, else one after the other.
 * - `content`: the server waits for the mail. Begins only when a recipient was accepted; where none was, an unsuspecting
 *   354 is answered with an empty mail (RFC 2920 3.1), which goes to nobody. What the server says in one piece with its 354
 *   can't be about a mail that it has not seen.
 * - `ended`: `dotWritten` was called. It is called before the bytes are handed over, never after, so that outside of
 *   this phase the dot was certainly not written. Only here is an outcome unknown when the connection goes.
 * - `settled`: `facts` are complete; the classifier reads them.
 */
import { PosthornError } from '../../errors.ts'
import type { EnvelopeCommands } from './envelope.ts'
import { quoteReply, type SmtpReply } from './reply.ts'

export type TransactionPhase = 'envelope' | 'content' | 'ended' | 'settled'
export type Awaited = 'RSET' | 'MAIL' | 'RCPT' | 'DATA' | 'END'

/** What was learnt of the transaction. Null: no reply came. */
export interface TransactionFacts {
  mail: SmtpReply | null
  /** In the order of the recipients. */
  rcpt: (SmtpReply | null)[]
  data: SmtpReply | null
  /** To the final dot; or what the server said in the middle of the content. */
  end: SmtpReply | null
  dotWritten: boolean
  /** Why the connection or the content broke off; null: it did not. */
  lost: PosthornError | null
}

export type TransactionStep =
  | { do: 'wait' }
  | { do: 'write'; text: string }
  | { do: 'send-content' }
  /** `reset`: the connection needs RSET before the next MAIL. `closing`: it can't be used any more. */
  | { do: 'settle'; reset: boolean; closing: boolean }

const wait: TransactionStep = { do: 'wait' }

const isPositive = (reply: SmtpReply | null): boolean => reply !== null && reply.code >= 200 && reply.code < 300

export class SmtpTransaction {
  phase: TransactionPhase = 'envelope'
  readonly facts: TransactionFacts
  readonly #commands: EnvelopeCommands
  readonly #pipelining: boolean
  readonly #awaited: Awaited[] = []
  #recipient = 0
  #emptied = false

  constructor(commands: EnvelopeCommands, options: { pipelining: boolean }) {
    this.#commands = commands
    this.#pipelining = options.pipelining
    this.facts = {
      mail: null,
      rcpt: commands.rcpt.map(() => null),
      data: null,
      end: null,
      dotWritten: false,
      lost: null,
    }
  }

  /** What the next reply answers; null: the server has nothing to answer. */
  get awaited(): Awaited | null {
    return this.#awaited[0] ?? null
  }

  /** Whether the server has answered anything but RSET. */
  get answered(): boolean {
    return this.facts.mail !== null
  }

  /** @returns the first thing to write */
  begin(reset: boolean): string {
    const { mail, rcpt } = this.#commands
    const commands = reset ? ['RSET', mail] : [mail]
    if (reset) this.#awaited.push('RSET')
    this.#awaited.push('MAIL')
    if (this.#pipelining) {
      commands.push(...rcpt, 'DATA')
      for (let at = 0; at < rcpt.length; at++) this.#awaited.push('RCPT')
      this.#awaited.push('DATA')
    } else if (reset) {
      // Lockstep: MAIL follows the reply to RSET.
      commands.pop()
    }
    return `${commands.join('\r\n')}\r\n`
  }

  /** The final dot is about to be handed to the socket. */
  dotWritten(): void {
    this.phase = 'ended'
    this.facts.dotWritten = true
    this.#awaited.push('END')
  }

  /** The connection or the content is gone. */
  lose(error: PosthornError): void {
    if (this.phase === 'settled') return
    this.facts.lost = error
    this.phase = 'settled'
  }

  /** @param isFollowed another reply came in the same piece */
  receive(reply: SmtpReply, isFollowed: boolean): TransactionStep {
    const step = this.#receive(reply, isFollowed)
    if (step.do === 'settle') this.phase = 'settled'
    return step
  }

  #receive(reply: SmtpReply, isFollowed: boolean): TransactionStep {
    const { facts } = this
    const awaited = this.#awaited.shift()
    const expected =
      awaited === 'DATA' ? reply.code === 354 || reply.code >= 400 : reply.code < 300 || reply.code >= 400
    if (!expected) return this.#unexpected(reply, awaited)
    switch (awaited) {
      case 'RSET':
        // RFC 5321 4.1.1.5 knows no failure but 421 and 501: without a clean state there is no next transaction.
        if (reply.code >= 400) return this.#unexpected(reply, awaited)
        return this.#pipelining ? wait : { do: 'write', text: `${this.#commands.mail}\r\n` }
      case 'MAIL':
        facts.mail = reply
        if (reply.code === 421) return { do: 'settle', reset: false, closing: true }
        if (this.#pipelining) return wait
        return isPositive(reply) ? this.#nextRecipient() : { do: 'settle', reset: false, closing: false }
      case 'RCPT':
        facts.rcpt[this.#recipient++] = reply
        if (reply.code === 421) return { do: 'settle', reset: false, closing: true }
        return this.#pipelining ? wait : this.#nextRecipient()
      case 'DATA':
        facts.data = reply
        return this.#answeredData(reply, isFollowed)
      case 'END':
        if (!this.#emptied) facts.end = reply
        return { do: 'settle', reset: this.#emptied, closing: reply.code === 421 }
      case undefined:
        // In the middle of the content: the server has given up, whatever it waits for.
        if (reply.code < 400) return this.#unexpected(reply, awaited)
        facts.end = reply
        return { do: 'settle', reset: false, closing: true }
      default:
        return awaited satisfies never
    }
  }

  #nextRecipient(): TransactionStep {
    const command = this.#commands.rcpt[this.#recipient]
    if (command !== undefined) {
      this.#awaited.push('RCPT')
      return { do: 'write', text: `${command}\r\n` }
    }
    if (!this.#someoneAccepted) return { do: 'settle', reset: true, closing: false }
    this.#awaited.push('DATA')
    return { do: 'write', text: 'DATA\r\n' }
  }

  #answeredData(reply: SmtpReply, isFollowed: boolean): TransactionStep {
    if (reply.code === 421) return { do: 'settle', reset: false, closing: true }
    if (reply.code !== 354) return { do: 'settle', reset: isPositive(this.facts.mail), closing: false }
    // Where MAIL was refused and RCPT was not, the empty mail would go to somebody.
    if (!isPositive(this.facts.mail) && this.facts.rcpt.some(isPositive))
      return { do: 'settle', reset: false, closing: true }
    if (this.#someoneAccepted) {
      if (isFollowed) return this.#breakOff('a mail that was not sent yet')
      this.phase = 'content'
      return { do: 'send-content' }
    }
    this.#emptied = true
    this.#awaited.push('END')
    return { do: 'write', text: '.\r\n' }
  }

  get #someoneAccepted(): boolean {
    return isPositive(this.facts.mail) && this.facts.rcpt.some(isPositive)
  }

  #unexpected(reply: SmtpReply, awaited: Awaited | undefined): TransactionStep {
    return this.#breakOff(`${awaited ?? 'unasked'} with ${quoteReply(reply)}`)
  }

  #breakOff(what: string): TransactionStep {
    this.facts.lost = new PosthornError('SMTP_PROTOCOL_ERROR', `the server answered ${what}`, {
      stage: this.facts.dotWritten ? 'reply' : 'envelope',
      retryable: true,
    })
    return { do: 'settle', reset: false, closing: true }
  }
}
