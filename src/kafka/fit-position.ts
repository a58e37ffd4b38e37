/**
 * What the group has committed against what the topic still holds (pure). They part when records are deleted before
 * anybody took them (retention, DeleteRecords), or when the topic was made anew or has lost its end.
 */
import type { Committable } from './offset-tracker.ts'

/** Offsets of a partition: of its oldest record, and of the one that will be written next. */
export interface Extent {
  low: number
  high: number
}

/** Null `records`: nobody can say, since the topic ends before what was committed. */
interface Lost {
  /** The committed offset. */
  from: number
  /** Where reading goes on. */
  to: number
  /** At most: offsets are also taken by what is no record, such as the ends of transactions. */
  records: number | null
}

export interface RecordLoss extends Lost {
  topic: string
  partition: number
}

/**
 * @param since offset of the oldest record that may have been written after the last commit. Of a topic that was made anew
 *   that is its beginning; of one that has lost its end it leaves out what was done, which nothing else may prevent from
 *   being done again. Asked for where the topic ends before what was committed
 * @returns where to go on
 */
export const fitPosition = (
  committed: Committable,
  { low, high }: Extent,
  since: number,
): { position: Committable; lost: Lost | null } => {
  const { offset, settled } = committed
  if (offset > high) {
    return { position: { offset: since, settled: [] }, lost: { from: offset, to: since, records: null } }
  }
  const left = settled
    .filter(([first, last]) => last >= low && first < high)
    .map(([first, last]) => [Math.max(first, low), Math.min(last, high - 1)] as const)
  if (offset >= low) return { position: { offset, settled: left }, lost: null }
  const done = settled.reduce((sum, [first, last]) => sum + Math.max(0, Math.min(last + 1, low) - first), 0)
  const records = low - offset - done
  const lost = records === 0 ? null : { from: offset, to: low, records }
  return { position: { offset: low, settled: left }, lost }
}
