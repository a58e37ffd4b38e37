/**
 * One FETCH at a time on a connection, its answers taken by the tap where that can be, else as imapflow hands them over.
 */
import type { ImapFlow } from 'imapflow'
import type { FetchAnswer } from './fetch-answer.ts'
import { FetchTap } from './fetch-tap.ts'
import { takeTurns } from './take-turns.ts'
import { toUidSet } from './uid-set.ts'

type Query = Parameters<ImapFlow['fetch']>[1]

export class MessageFetcher {
  readonly #flow: ImapFlow
  readonly #tap: FetchTap
  readonly #inTurn = takeTurns(1)

  constructor(flow: ImapFlow) {
    this.#flow = flow
    this.#tap = new FetchTap(flow)
  }

  /**
   * What comes may be incomplete, of another message, or come twice: servers may answer with what nobody asked for.
   *
   * @param isComplete whether an answer tells all that was asked for
   * @throws what the client throws
   */
  async *fetch(
    uids: readonly number[],
    query: Query,
    isComplete: (answer: FetchAnswer) => boolean,
  ): AsyncGenerator<FetchAnswer> {
    const answers: FetchAnswer[] = []
    const awaited = new Set(uids)
    let wake = (): void => undefined
    const add = (answer: FetchAnswer): void => {
      answers.push(answer)
      wake()
    }
    const take = (answer: FetchAnswer): boolean => {
      if (answer.uid === undefined || !isComplete(answer) || !awaited.delete(answer.uid)) return false
      add(answer)
      return true
    }
    let isOver = false
    // Goes on to its end also where nobody reads on: what is still to come must not be taken for another command's answer.
    const fetched = this.#inTurn(async () => {
      this.#tap.offerTo(take)
      try {
        for await (const item of this.#flow.fetch(toUidSet(uids), { uid: true, ...query }, { uid: true })) add(item)
      } finally {
        this.#tap.offerTo(null)
        isOver = true
        wake()
      }
    })
    fetched.catch(() => undefined)
    for (;;) {
      for (const answer of answers.splice(0)) yield answer
      if (answers.length > 0) continue
      if (isOver) break
      await new Promise<void>((resolve) => (wake = resolve))
    }
    await fetched
  }
}
