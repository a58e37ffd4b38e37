/** UIDs as an IMAP sequence set (RFC 9051 9, `sequence-set`): `1:5,9`. Order and repeats do not matter. */
export const toUidSet = (uids: readonly number[]): string => {
  const parts: string[] = []
  const sorted = [...new Set(uids)].sort((a, b) => a - b)
  for (let start = 0; start < sorted.length;) {
    let end = start
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1
    parts.push(start === end ? `${sorted[start]}` : `${sorted[start]}:${sorted[end]}`)
    start = end + 1
  }
  return parts.join(',')
}

/** What `toUidSet` was given, ascending. */
export const fromUidSet = (set: string): number[] =>
  set === ''
    ? []
    : set.split(',').flatMap((part) => {
        const [first = 0, last = first] = part.split(':').map(Number)
        return Array.from({ length: last - first + 1 }, (_, index) => first + index)
      })
