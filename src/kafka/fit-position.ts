/**
 * What the group has committed against what the topic still holds (pure). They part when records are deleted before
 * anybody took them (retention, DeleteRecords), or when the topic was made anew or cut off.
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
 * @returns where to go on. Behind the end of the topic that is its beginning: records whose offsets were committed
 *   already are other records now, and the ids of those that are not keep them from being sent again.
 */
export const fitPosition = (
  committed: Committable,
  { low, high }: Extent,
): { position: Committable; lost: Lost | null } => {
  const { offset, settled } = committed
  if (offset > high) return { position: { offset: low, settled: [] }, lost: { from: offset, to: low, records: null } }
  if (offset >= low) return { position: committed, lost: null }
  const done = settled.reduce((sum, [first, last]) => sum + Math.max(0, Math.min(last + 1, low) - first), 0)
  const records = low - offset - done
  const left = settled.filter(([, last]) => last >= low).map(([first, last]) => [Math.max(first, low), last] as const)
  const lost = records === 0 ? null : { from: offset, to: low, records }
  return { position: { offset: low, settled: left }, lost }
}
