/**
 * Waits for the answers to what was published: each id is expected as often as it was sent, and each of its final
 * results settles one.
 */
import type { RecordReader } from './kafka-clients.ts'

export class Expectations {
  readonly #counts = new Map<string, number>()
  readonly #onSettled: () => void
  #isComplete = false

  /** @param onSettled called once nothing is expected any more and nothing will be added */
  constructor(onSettled: () => void) {
    this.#onSettled = onSettled
  }

  get size(): number {
    let size = 0
    for (const count of this.#counts.values()) size += count
    return size
  }

  has(id: string): boolean {
    return this.#counts.has(id)
  }

  add(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1)
  }

  /** Answered, or never sent. */
  settle(id: string): void {
    const left = (this.#counts.get(id) ?? 0) - 1
    if (left > 0) this.#counts.set(id, left)
    else this.#counts.delete(id)
    this.#check()
  }

  /** Nothing more will be added. */
  complete(): void {
    this.#isComplete = true
    this.#check()
  }

  #check(): void {
    if (this.#isComplete && this.#counts.size === 0) this.#onSettled()
  }
}

export interface AwaitOptions<T> {
  reader: RecordReader
  expected: Expectations
  decode: (value: Buffer | null) => Promise<T>
  isFinal: (result: T) => boolean
  onResult: (result: T, isFinal: boolean) => Promise<void>
}

/** Ends when the reader does, which is for whoever made the expectations to bring about. */
export const awaitResults = async <T extends { id: string }>(options: AwaitOptions<T>): Promise<void> => {
  const { reader, expected, decode, isFinal, onResult } = options
  for await (const { key, value } of reader) {
    // The key of a result is the id: others need not be decoded.
    if (key === null || !expected.has(key.toString('utf8'))) continue
    const result = await decode(value)
    const settles = isFinal(result)
    await onResult(result, settles)
    if (settles) expected.settle(result.id)
  }
}
