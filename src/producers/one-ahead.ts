/**
 * Works on a list in order, one item ahead of its user: with each item that is asked for the one behind it is begun, so
 * that it is under way while the user waits for the first and settles it. Never more than two are.
 */
export class OneAhead<T, R> {
  readonly #items: readonly T[]
  readonly #work: (item: T) => Promise<R>
  #next: { item: T; result: Promise<R> } | null = null

  constructor(items: readonly T[], work: (item: T) => Promise<R>) {
    this.#items = items
    this.#work = work
  }

  /** The result of an item. One that is not of the list is worked on by itself. */
  take(item: T): Promise<R> {
    const result = this.#next?.item === item ? this.#next.result : this.#work(item)
    const at = this.#items.indexOf(item)
    const behind = at < 0 ? undefined : this.#items[at + 1]
    if (behind !== undefined) this.#begin(behind)
    return result
  }

  /** Resolves when what was begun ahead has ended, well or not. */
  async settled(): Promise<void> {
    await this.#next?.result.catch(() => undefined)
  }

  #begin(item: T): void {
    const result = this.#work(item)
    // Its failure is told when it is taken; the user may have failed by then.
    result.catch(() => undefined)
    this.#next = { item, result }
  }
}
