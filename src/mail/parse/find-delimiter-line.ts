/**
 * Finds lines that begin with `--`. Content that has few of them, such as base64, passes at the speed of the native
 * search; content full of dashes is scanned byte by byte, so that it can't be made slow.
 */
const dashes = Buffer.from('--')
const dash = 45
/** After a false hit, this much is scanned byte by byte before the native search is asked again. */
const scanBytes = 2048
/** And this much at first: lines that are full of dashes are no further from each other. */
const firstBytes = 64

/**
 * Offset of the first `--` at the beginning of a line at or after `from`; -1 where there is none.
 *
 * @param lineEnd the byte that ends lines
 */
export const findDelimiterLine = (bytes: Buffer, from: number, fromBeginsLine: boolean, lineEnd: number): number => {
  if (fromBeginsLine && bytes[from] === dash && bytes[from + 1] === dash) return from
  let at = from
  for (const end = Math.min(bytes.length, from + firstBytes); at < end; at++) {
    if (bytes[at] === lineEnd && bytes[at + 1] === dash && bytes[at + 2] === dash) return at + 1
  }
  while (at < bytes.length) {
    const hit = bytes.indexOf(dashes, at)
    if (hit < 0) return -1
    if (hit > from && bytes[hit - 1] === lineEnd) return hit
    const end = Math.min(bytes.length, hit + scanBytes)
    for (at = hit + 1; at < end; at++) {
      if (bytes[at] === lineEnd && bytes[at + 1] === dash && bytes[at + 2] === dash) return at + 1
    }
  }
  return -1
}
