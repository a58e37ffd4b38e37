/** UIDs as ranges, and as an IMAP sequence set (pure). */
import type { UidRange } from '../avro/records.ts'

/** UIDs (any order) as ascending ranges of consecutive ones. */
export const toRanges = (uids: readonly number[]): UidRange[] => {
  const ranges: UidRange[] = []
  for (const uid of [...new Set(uids)].sort((a, b) => a - b)) {
    const open = ranges.at(-1)
    if (open?.last === uid - 1) open.last = uid
    else ranges.push({ first: uid, last: uid })
  }
  return ranges
}

/** The UIDs of ascending ranges. */
export const fromRanges = (ranges: readonly UidRange[]): number[] =>
  ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index))

/** A sequence set (RFC 9051 9, `sequence-set`): `1:5,9`. Order and repeats do not matter. */
export const toUidSet = (uids: readonly number[]): string =>
  toRanges(uids)
    .map(({ first, last }) => (first === last ? `${first}` : `${first}:${last}`))
    .join(',')

/** What `toUidSet` was given, ascending. */
export const fromUidSet = (set: string): number[] =>
  set === ''
    ? []
    : fromRanges(
        set.split(',').map((part) => {
          const [first = 0, last = first] = part.split(':').map(Number)
          return { first, last }
        }),
      )
