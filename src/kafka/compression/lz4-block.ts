/** The LZ4 block format: sequences of literals and of matches in what came before (pure). */

const minMatch = 4
/** The last match begins at least 12 bytes before the end, and the last 5 bytes are literals. */
const matchStartLimit = 12
const lastLiterals = 5
const maxOffset = 65_535
const hashBits = 13

/** Most bytes that a block of this size can take: nothing repeats, and every 255 literals cost one more byte. */
export const maxBlockBytes = (length: number): number => length + Math.ceil(length / 255) + 16

const writeLength = (output: Buffer, start: number, length: number): number => {
  let at = start
  let rest = length
  for (; rest >= 255; rest -= 255) output[at++] = 255
  output[at++] = rest
  return at
}

/** One sequence; without a match it is the last. @returns where the next one begins */
const writeSequence = (
  output: Buffer,
  start: number,
  literals: Buffer,
  match: { offset: number; length: number } | null,
): number => {
  const extra = match === null ? 0 : match.length - minMatch
  let at = start + 1
  output[start] = (Math.min(literals.length, 15) << 4) | Math.min(extra, 15)
  if (literals.length >= 15) at = writeLength(output, at, literals.length - 15)
  at += literals.copy(output, at)
  if (match === null) return at
  at = output.writeUInt16LE(match.offset, at)
  return extra >= 15 ? writeLength(output, at, extra - 15) : at
}

/**
 * Greedy, with one candidate for each hash.
 *
 * @param output with room for `maxBlockBytes`
 * @returns how many bytes were written
 */
export const compressBlock = (input: Buffer, output: Buffer): number => {
  /** Position after the last one with this hash; 0: none yet. */
  const seen = new Int32Array(1 << hashBits)
  const limit = input.length - matchStartLimit
  let anchor = 0
  let at = 0
  let written = 0
  while (at < limit) {
    const word = input.readInt32LE(at)
    const hash = Math.imul(word, 0x9e37_79b1) >>> (32 - hashBits)
    const candidate = (seen[hash] ?? 0) - 1
    seen[hash] = at + 1
    if (candidate < 0 || at - candidate > maxOffset || input.readInt32LE(candidate) !== word) {
      // The longer nothing repeats, the larger the steps.
      at += 1 + ((at - anchor) >> 6)
      continue
    }
    let length = minMatch
    const longest = input.length - lastLiterals - at
    while (length < longest && input[candidate + length] === input[at + length]) length += 1
    written = writeSequence(output, written, input.subarray(anchor, at), { offset: at - candidate, length })
    at += length
    anchor = at
  }
  return writeSequence(output, written, input.subarray(anchor), null)
}

const corrupt = (): Error => new Error('the LZ4 block is corrupt')

/**
 * Appends a block's content to what `output` holds up to `start`, where its matches may lie (linked blocks).
 *
 * @returns where the content ends
 * @throws Error where the block is corrupt or has more than `output` takes
 */
export const decompressBlock = (block: Buffer, output: Buffer, start: number): number => {
  let at = 0
  let end = start
  const next = (): number => {
    const byte = block[at]
    if (byte === undefined) throw corrupt()
    at += 1
    return byte
  }
  const readLength = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    let byte: number
    do {
      byte = next()
      length += byte
    } while (byte === 255)
    return length
  }
  for (;;) {
    const token = next()
    const literals = readLength(token >> 4)
    if (at + literals > block.length || end + literals > output.length) throw corrupt()
    block.copy(output, end, at, at + literals)
    at += literals
    end += literals
    if (at === block.length) return end
    const offset = next() | (next() << 8)
    const length = readLength(token & 15) + minMatch
    if (offset === 0 || offset > end || end + length > output.length) throw corrupt()
    if (offset >= length) output.copyWithin(end, end - offset, end - offset + length)
    // A match may reach into itself: that is how runs are written.
    else for (let index = 0; index < length; index += 1) output[end + index] = output[end + index - offset] ?? 0
    end += length
  }
}
