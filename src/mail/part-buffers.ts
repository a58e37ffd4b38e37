/**
 * Buffers for the parts of uploads, used again and again: megabytes that are dropped after a second are not given back by
 * V8 before it next looks at its old generation, and much can gather until then.
 */
export class PartBuffers {
  /** Of each buffer. */
  readonly bytes: number
  readonly #mostKept: number
  readonly #free: Buffer[] = []

  /** @param mostKept while nobody needs them; more are made where more are asked for */
  constructor(bytes: number, mostKept: number) {
    this.bytes = bytes
    this.#mostKept = mostKept
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bytes)
  }

  /** @param buffer of which nothing is read or written any more */
  give(buffer: Buffer): void {
    if (this.#free.length < this.#mostKept) this.#free.push(buffer)
  }
}
