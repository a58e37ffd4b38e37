import { toPosthornError } from '../errors.ts'
import type { Mailbox, MessageSummary } from '../mail/mailbox.ts'
import { blame } from './pending-messages.ts'

/** So often the connection must break at a message that is asked for by itself. */
const mostBreaks = 2

/**
 * Describes messages of a folder that has no checkpoint yet which could charge one of them with a failure. What the server
 * refuses is left out at once. Those that were asked for when the connection broke are asked for one by one over the next
 * connections, and the one at which it goes on breaking is left out.
 */
export class PatientDescription {
  /** By UID: how often the connection broke at it alone. */
  readonly #breaks = new Map<number, number>()

  /** @throws PosthornError retryable: ask again over a new connection */
  async of(mailbox: Mailbox, uids: readonly number[]): Promise<MessageSummary[]> {
    const described = await this.#ask(
      mailbox,
      uids.filter((uid) => !this.#breaks.has(uid)),
    )
    for (const uid of uids) {
      if ((this.#breaks.get(uid) ?? mostBreaks) < mostBreaks) described.push(...(await this.#ask(mailbox, [uid])))
    }
    return described
  }

  async #ask(mailbox: Mailbox, uids: readonly number[]): Promise<MessageSummary[]> {
    if (uids.length === 0) return []
    try {
      return await mailbox.fetchSummaries(uids)
    } catch (cause) {
      const whose = blame(toPosthornError(cause, 'fetch'))
      if (whose === 'connection') {
        for (const uid of uids) this.#breaks.set(uid, (this.#breaks.get(uid) ?? 0) + (uids.length === 1 ? 1 : 0))
      }
      if (whose !== 'message') throw cause
      if (uids.length === 1) return []
      const half = Math.ceil(uids.length / 2)
      return [...(await this.#ask(mailbox, uids.slice(0, half))), ...(await this.#ask(mailbox, uids.slice(half)))]
    }
  }
}
