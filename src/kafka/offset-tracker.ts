/**
 * Which records of one topic partition are settled, and what may be committed (pure).
 *
 * Records are accepted in offset order and settled in any order. `committable.offset` is the lowest offset that is not
 * settled, so nothing unsettled is ever passed over. What is settled beyond it travels in the commit's metadata as runs,
 * so that the next owner of the partition skips it instead of doing it again: one record that takes an hour costs a few
 * bytes, however many are settled behind it.
 *
 * Invariants: an offset is accepted at most once; it is settled at most once, and only after it was accepted;
 * `committable.offset` never moves back.
 */

/** First and last offset of a stretch in which everything is settled. */
export type Run = readonly [first: number, last: number]

export interface Committable {
  offset: number
  /** Above `offset`, ascending, at least one unsettled offset between two of them. */
  settled: readonly Run[]
}

/** So many runs always fit: each takes at most 4 bytes where no stretch is longer than 16,383, and the broker takes 4,096. */
export const maxRuns = 700

/** What a commit's metadata may hold besides the commit id. */
const maxEncodedLength = 3_900

export class OffsetTracker {
  #next: number
  /** In ascending order, since they are accepted so and sets keep the order of insertion. */
  readonly #unsettled = new Set<number>()
  /** Settled by earlier owners; those below `#next` are of no further use. */
  #before: Run[]
  #runs = 0

  /** @param start what the group has committed; everything below is settled */
  constructor(start: Committable) {
    this.#next = start.offset
    this.#before = [...start.settled]
  }

  /** False for a record that was accepted before, or that an earlier owner settled: it must not be processed. */
  accept(offset: number): boolean {
    if (offset < this.#next) return false
    this.#next = offset + 1
    let [run] = this.#before
    while (run !== undefined && run[1] < offset) {
      this.#before.shift()
      run = this.#before[0]
    }
    if (run !== undefined && run[0] <= offset) return false
    this.#unsettled.add(offset)
    return true
  }

  settle(offset: number): void {
    if (!this.#unsettled.delete(offset)) throw new RangeError(`offset ${offset} is not in flight`)
  }

  /**
   * Runs of the last `committable`: more than `maxRuns` may not fit into a commit. None where nothing is in flight: what an
   * earlier owner settled further on goes only by accepting more.
   */
  get runs(): number {
    return this.#unsettled.size === 0 ? 0 : this.#runs
  }

  get inFlight(): number {
    return this.#unsettled.size
  }

  /** @param about offsets that the commit under construction will settle */
  committable(about: ReadonlySet<number> = new Set()): Committable {
    const settled: Run[] = []
    let offset: number | null = null
    let end = 0
    for (const unsettled of this.#unsettled) {
      if (about.has(unsettled)) continue
      if (offset === null) offset = unsettled
      else if (unsettled > end) settled.push([end, unsettled - 1])
      end = unsettled + 1
    }
    if (offset === null) offset = this.#next
    else if (this.#next > end) settled.push([end, this.#next - 1])
    for (const [first, last] of this.#before) {
      if (last >= this.#next) settled.push([Math.max(first, this.#next), last])
    }
    this.#runs = settled.length
    return { offset, settled: joinRuns(settled) }
  }
}

/** What this owner settled may touch what an earlier one did. */
const joinRuns = (runs: readonly Run[]): Run[] => {
  const joined: Run[] = []
  for (const run of runs) {
    const last = joined.at(-1)
    if (last !== undefined && last[1] + 1 === run[0]) joined[joined.length - 1] = [last[0], run[1]]
    else joined.push(run)
  }
  return joined
}

/**
 * The settled runs as base64 of LEB128 numbers: the length of the stretch before each run, and its own. Empty where there
 * are none. Runs that don't fit are left out, the last first: to say less is safe.
 */
export const encodeSettled = ({ offset, settled }: Committable): string => {
  const bytes: number[] = []
  let at = offset
  for (const [first, last] of settled) {
    const run = [...toLeb128(first - at), ...toLeb128(last + 1 - first)]
    if (((bytes.length + run.length) * 4) / 3 + 4 > maxEncodedLength) break
    bytes.push(...run)
    at = last + 1
  }
  return Buffer.from(bytes).toString('base64')
}

export const decodeSettled = (offset: number, text: string): Committable => {
  const settled: Run[] = []
  const lengths = fromLeb128(Buffer.from(text, 'base64'))
  let at = offset
  for (let index = 0; index + 1 < lengths.length; index += 2) {
    const first = at + (lengths[index] ?? 0)
    at = first + (lengths[index + 1] ?? 0)
    settled.push([first, at - 1])
  }
  return { offset, settled }
}

const toLeb128 = (number: number): number[] => {
  const bytes: number[] = []
  let rest = number
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return [...bytes, rest]
}

const fromLeb128 = (bytes: Buffer): number[] => {
  const numbers: number[] = []
  let number = 0
  let weight = 1
  for (const byte of bytes) {
    number += (byte % 128) * weight
    weight *= 128
    if (byte > 127) continue
    numbers.push(number)
    number = 0
    weight = 1
  }
  return numbers
}
