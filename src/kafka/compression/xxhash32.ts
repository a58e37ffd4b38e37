/** xxHash, 32 bits, as the LZ4 frame format uses it for its checksums (pure). */

const prime1 = 0x9e37_79b1
const prime2 = 0x85eb_ca77
const prime3 = 0xc2b2_ae3d
const prime4 = 0x27d4_eb2f
const prime5 = 0x1656_67b1

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

const round = (lane: number, word: number): number => Math.imul(rotate(lane + Math.imul(word, prime2), 13), prime1)

/** @returns unsigned */
export const xxhash32 = (input: Buffer, seed = 0): number => {
  let at = 0
  let hash = seed + prime5
  if (input.length >= 16) {
    let [a, b, c, d] = [seed + prime1 + prime2, seed + prime2, seed, seed - prime1]
    for (; at + 16 <= input.length; at += 16) {
      a = round(a, input.readInt32LE(at))
      b = round(b, input.readInt32LE(at + 4))
      c = round(c, input.readInt32LE(at + 8))
      d = round(d, input.readInt32LE(at + 12))
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
  }
  hash = (hash + input.length) | 0
  for (; at + 4 <= input.length; at += 4) {
    hash = Math.imul(rotate(hash + Math.imul(input.readInt32LE(at), prime3), 17), prime4)
  }
  for (; at < input.length; at += 1) {
    hash = Math.imul(rotate(hash + Math.imul(input.readUInt8(at), prime5), 11), prime1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}
