/**
 * Works on a list in order, one item ahead of its user: with each item that is asked for the one behind it is begun, so
 * that it is under way while the user waits for the first and settles it. Never more than two are. The list may grow; what
 * comes behind the item that was asked for last is begun when it comes.
 */
export class OneAhead<T, R> {
  readonly #items: T[]
  readonly #work: (item: T) => Promise<R>
  /** How many of the list were asked for. */
  #taken = 0
  #isOver = false
  #next: { item: T; result: Promise<R> } | null = null

  constructor(items: readonly T[], work: (item: T) => Promise<R>) {
    this.#items = [...items]
    this.#work = work
  }

  /** The result of an item. One that is not of the list is worked on by itself. */
  take(item: T): Promise<R> {
    const result = this.#next?.item === item ? this.#next.result : this.#work(item)
    const at = this.#items.indexOf(item)
    if (at >= 0) {
      this.#taken = at + 1
      this.#beginNext()
    }
    return result
  }

  append(items: readonly T[]): void {
    const wasBegun = this.#taken < this.#items.length
    this.#items.push(...items)
    if (!wasBegun) this.#beginNext()
  }

  /** Begins nothing ahead any more. Resolves when what was begun has ended, well or not. */
  async end(): Promise<void> {
    this.#isOver = true
    await this.#next?.result.catch(() => undefined)
  }

  #beginNext(): void {
    const item = this.#items[this.#taken]
    if (item === undefined || this.#isOver) return
    const result = this.#work(item)
    // Its failure is told when it is taken; the user may have failed by then.
    result.catch(() => undefined)
    this.#next = { item, result }
  }
}
