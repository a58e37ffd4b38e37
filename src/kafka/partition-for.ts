/**
 * Kafka's default partitioner for records with a key (pure): which partition, and so which worker, a key belongs to.
 * Must equal the Java client's, or an account's commands and its checkpoint would part.
 */

const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/** MurmurHash2, 32 bits, seeded as `org.apache.kafka.common.utils.Utils.murmur2`. @returns a signed 32-bit integer */
export const murmur2 = (data: Uint8Array): number => {
  const { length } = data
  const view = new DataView(data.buffer, data.byteOffset, length)
  const wholeWords = length & ~3
  let hash = seed ^ length
  for (let index = 0; index < wholeWords; index += 4) {
    let word = Math.imul(view.getInt32(index, true), multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  if (wholeWords < length) {
    for (let index = length - 1; index >= wholeWords; index -= 1) hash ^= view.getUint8(index) << ((index & 3) * 8)
    hash = Math.imul(hash, multiplier)
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}

/** @returns the partition, from 0, of a key in a topic of `partitionCount` partitions */
export const partitionFor = (key: string | Uint8Array, partitionCount: number): number => {
  if (!Number.isInteger(partitionCount) || partitionCount < 1)
    throw new RangeError(`no such partition count: ${partitionCount}`)
  return (murmur2(typeof key === 'string' ? Buffer.from(key, 'utf8') : key) & 0x7fffffff) % partitionCount
}
