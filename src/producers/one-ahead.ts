/**
 * Works on a list in order, one item ahead of its user: while the user settles what it has taken, the next item is under
 * way. Never more than one is, and none is begun after one that failed.
 */
export class OneAhead<T, R> {
  readonly #items: readonly T[]
  readonly #work: (item: T) => Promise<R>
  #next: { item: T; result: Promise<R> } | null = null

  constructor(items: readonly T[], work: (item: T) => Promise<R>) {
    this.#items = items
    this.#work = work
  }

  /** The result of an item; begins with the one behind it. An item that is not of the list is worked on by itself. */
  async take(item: T): Promise<R> {
    const begun = this.#next?.item === item ? this.#next.result : this.#work(item)
    const result = await begun
    const at = this.#items.indexOf(item)
    const behind = at < 0 ? undefined : this.#items[at + 1]
    if (behind !== undefined) this.#begin(behind)
    return result
  }

  #begin(item: T): void {
    const result = this.#work(item)
    // Its failure is told when it is taken; the user may have failed by then.
    result.catch(() => undefined)
    this.#next = { item, result }
  }
}
