/**
 * Snappy as Kafka's clients write it: the Java client in the framing of the library snappy-java, librdkafka and others as
 * one bare block. Brokers and clients read both; Posthorn writes one block (pure).
 */
import snappy from 'snappyjs'

const framingMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic bytes, and two version numbers of four bytes each. */
const framingHeaderBytes = 16

export const compressSnappy = (content: Buffer): Buffer => snappy.compress(content)

/** @throws Error */
export const decompressSnappy = (input: Buffer): Buffer => {
  if (!input.subarray(0, framingMagic.length).equals(framingMagic)) return snappy.uncompress(input)
  const blocks: Buffer[] = []
  let at = framingHeaderBytes
  while (at < input.length) {
    const start = at + 4
    const end = start + input.readUInt32BE(at)
    if (end > input.length) throw new Error('the snappy framing is corrupt: it ends too soon')
    blocks.push(snappy.uncompress(input.subarray(start, end)))
    at = end
  }
  return Buffer.concat(blocks)
}
