/**
 * Chunks of any size → buffers as `take` makes them, all of one length, the last one as long as what is left. Yields one empty buffer
 * for empty content.
 *
 * Two buffers take turns, whatever the content's length: a yielded part stays as it is while the one behind it is
 * gathered and taken, and is overwritten when a third is asked for.
 */
export async function* cutParts(content: AsyncIterable<Uint8Array>, take: () => Buffer): AsyncGenerator<Buffer> {
  let part: Buffer = take()
  const partBytes = part.length
  let other: Buffer | null = null
  let filled = 0
  let yielded = 0
  for await (const chunk of content) {
    for (let taken = 0; taken < chunk.length;) {
      const length = Math.min(partBytes - filled, chunk.length - taken)
      part.set(chunk.subarray(taken, taken + length), filled)
      filled += length
      taken += length
      if (filled < partBytes) continue
      yield part
      yielded += 1
      const full = part
      part = other ?? take()
      other = full
      filled = 0
    }
  }
  if (filled > 0 || yielded === 0) yield part.subarray(0, filled)
}
