/**
 * The boundaries of the multiparts that are open, and which of them a line `--…` delimits (RFC 2046 5.1.1).
 *
 * A line matches when nothing but blanks follows the boundary or its closing `--`. Where boundaries are prefixes of
 * each other, or equal, the innermost one that matches wins. Matching costs the same however many are open.
 */

export interface Match {
  /** Index of the multipart, 0 the outermost. */
  level: number
  closing: boolean
}

const dash = 45
/** Blanks after a boundary up to which the line still counts: one header line (RFC 5322 2.1.1). */
const maxTrailingBlanks = 998

export class Delimiters {
  #boundaries: string[] = []
  readonly #levels = new Map<string, number[]>()
  #longest = 0
  /** How many of the open boundaries begin with each byte. */
  readonly #firsts = new Uint32Array(256)

  get depth(): number {
    return this.#boundaries.length
  }

  /** Bytes that a delimiter line can have at most, its line break left out. */
  get maxLineLength(): number {
    return this.#longest + 4 + maxTrailingBlanks
  }

  open(boundary: string): void {
    const levels = this.#levels.get(boundary)
    if (levels === undefined) this.#levels.set(boundary, [this.#boundaries.length])
    else levels.push(this.#boundaries.length)
    this.#boundaries.push(boundary)
    this.#count(boundary, 1)
    this.#longest = Math.max(this.#longest, boundary.length)
  }

  /** Closes the innermost multipart. */
  close(): void {
    const boundary = this.#boundaries.pop()
    if (boundary === undefined) return
    this.#count(boundary, -1)
    const levels = this.#levels.get(boundary)
    levels?.pop()
    if (levels?.length === 0) this.#levels.delete(boundary)
    if (this.#boundaries.length === 0) this.#longest = 0
  }

  /** Whether the line at `start` can match: most that begin with dashes can't, and are many in some mail. */
  mayMatch(bytes: Buffer, start: number): boolean {
    return (this.#firsts[bytes[start + 2] ?? 0] ?? 0) > 0
  }

  #count(boundary: string, change: number): void {
    const first = boundary.charCodeAt(0)
    this.#firsts[first] = (this.#firsts[first] ?? 0) + change
  }

  /** `start` is at `--`, `end` after the last byte of the line, its line feed left out. */
  match(bytes: Buffer, start: number, end: number): Match | null {
    let stop = end
    while (stop > start + 2 && isTrailing(bytes[stop - 1])) stop--
    const length = stop - start - 2
    if (length < 1 || length > this.#longest + 2) return null
    const line = bytes.toString('latin1', start + 2, stop)
    const opening = this.#levels.get(line)?.at(-1) ?? -1
    const closes = bytes[stop - 1] === dash && bytes[stop - 2] === dash
    const closing = closes ? (this.#levels.get(line.slice(0, -2))?.at(-1) ?? -1) : -1
    if (opening < 0 && closing < 0) return null
    return opening > closing ? { level: opening, closing: false } : { level: closing, closing: true }
  }
}

const isTrailing = (byte: number | undefined): boolean => byte === 32 || byte === 9 || byte === 13
