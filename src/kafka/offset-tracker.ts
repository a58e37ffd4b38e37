/**
 * Which records of one topic partition are settled, and what may be committed (pure).
 *
 * Records are accepted in offset order and settled in any order. `committable.offset` is the lowest offset that is not
 * settled, so nothing unsettled is ever passed over. What is settled beyond it travels in the commit's metadata, so
 * that the next owner of the partition skips it instead of doing it again.
 *
 * Invariants: an offset is accepted at most once; it is settled at most once, and only after it was accepted;
 * `committable.offset` never moves back.
 */

/** The span that a commit's metadata can describe: 16,384 bits are 2,732 characters of base64 (the broker takes 4,096). */
export const maxSpan = 16_384

export interface Committable {
  offset: number
  /** Settled offsets above `offset`, ascending. */
  settledBeyond: number[]
}

export class OffsetTracker {
  #next: number
  readonly #unsettled = new Set<number>()
  /** Settled offsets that are still above the lowest unsettled one. */
  readonly #settledBeyond = new Set<number>()

  /** @param start what the group has committed; everything below is settled */
  constructor(start: Committable) {
    this.#next = start.offset
    for (const offset of start.settledBeyond) this.#settledBeyond.add(offset)
  }

  /** False for a record that was accepted before, or that an earlier owner settled: it must not be processed. */
  accept(offset: number): boolean {
    if (offset < this.#next) return false
    this.#next = offset + 1
    if (this.#settledBeyond.has(offset)) return false
    this.#unsettled.add(offset)
    return true
  }

  settle(offset: number): void {
    if (!this.#unsettled.delete(offset)) throw new RangeError(`offset ${offset} is not in flight`)
    this.#settledBeyond.add(offset)
    const lowest = this.#lowest()
    for (const settled of this.#settledBeyond) if (settled < lowest) this.#settledBeyond.delete(settled)
  }

  /** Offsets from the lowest unsettled record to the highest accepted one. */
  get span(): number {
    return this.#next - this.#lowest()
  }

  get inFlight(): number {
    return this.#unsettled.size
  }

  /** @param about offsets that the commit under construction will settle */
  committable(about: ReadonlySet<number> = new Set()): Committable {
    const offset = this.#lowest(about)
    const settledBeyond: number[] = []
    for (const settled of this.#settledBeyond) if (settled >= offset) settledBeyond.push(settled)
    for (const settled of about) if (settled >= offset) settledBeyond.push(settled)
    return { offset, settledBeyond: settledBeyond.sort((a, b) => a - b) }
  }

  /** Sets iterate in insertion order and offsets are accepted in ascending order: the first is the lowest. */
  #lowest(about?: ReadonlySet<number>): number {
    for (const offset of this.#unsettled) if (about?.has(offset) !== true) return offset
    return this.#next
  }
}

/** The settled offsets as base64 of a bitmap whose bit i stands for `offset + i`; empty where there are none. */
export const encodeSettled = ({ offset, settledBeyond }: Committable): string => {
  const last = settledBeyond.at(-1)
  if (last === undefined) return ''
  const bits = Buffer.alloc(((last - offset) >> 3) + 1)
  for (const settled of settledBeyond) {
    const index = settled - offset
    bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7))
  }
  return bits.toString('base64')
}

export const decodeSettled = (offset: number, text: string): Committable => {
  const settledBeyond: number[] = []
  const bits = Buffer.from(text, 'base64')
  for (const [byteIndex, byte] of bits.entries()) {
    for (let bit = 0; bit < 8; bit += 1) {
      if ((byte & (1 << bit)) !== 0) settledBeyond.push(offset + byteIndex * 8 + bit)
    }
  }
  return { offset, settledBeyond }
}
