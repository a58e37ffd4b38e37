/**
 * Works on a list in order, one item ahead of its user: with each item that is asked for the one behind it is begun, so
 * that it is under way while the user waits for the first and settles it. Never more than two are. The list may grow; what
 * comes behind the item that was asked for last is begun when it comes. What was asked for is forgotten: the list of a
 * folder with a million messages must not be in memory at once.
 */
export class OneAhead<T, R> {
  /** Not asked for yet. */
  readonly #items: T[]
  readonly #work: (item: T) => Promise<R>
  #isOver = false
  /** Begun and not asked for yet. */
  #next: { item: T; result: Promise<R> } | null = null

  constructor(items: readonly T[], work: (item: T) => Promise<R>) {
    this.#items = [...items]
    this.#work = work
  }

  /** The result of an item. One that is not of the list is worked on by itself. */
  take(item: T): Promise<R> {
    const at = this.#items.indexOf(item)
    if (at < 0) return this.#work(item)
    this.#items.splice(at, 1)
    const ahead = this.#next?.item === item ? this.#next : null
    if (ahead !== null) this.#next = null
    const result = ahead?.result ?? this.#work(item)
    this.#beginNext()
    return result
  }

  append(items: readonly T[]): void {
    const hasNone = this.#items.length === 0
    this.#items.push(...items)
    if (hasNone) this.#beginNext()
  }

  /** Begins nothing ahead any more. Resolves when what was begun has ended, well or not. */
  async end(): Promise<void> {
    this.#isOver = true
    await this.#next?.result.catch(() => undefined)
  }

  #beginNext(): void {
    const [item] = this.#items
    if (item === undefined || this.#next !== null || this.#isOver) return
    const result = this.#work(item)
    // Its failure is told when it is taken; the user may have failed by then.
    result.catch(() => undefined)
    this.#next = { item, result }
  }
}
