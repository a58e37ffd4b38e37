import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { createPartitioner } from '../../src/kafka/connect.ts'
import { murmur2, partitionFor } from '../../src/kafka/partition-for.ts'

/** Of Apache Kafka's own UtilsTest. */
const knownHashes: [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

describe('murmur2', () => {
  for (const [text, hash] of knownHashes) {
    it(`hashes ${text} as the Java client does`, () => assert.equal(murmur2(Buffer.from(text)), hash))
  }

  it('reads a slice of a larger buffer, not what lies around it', () => {
    assert.equal(murmur2(Buffer.from('xxabcxx').subarray(2, 5)), 479470107)
  })
})

describe('partitionFor', () => {
  it('agrees with the partitioner of the producers for every key and partition count', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 1, max: 200 }), (bytes, count) => {
        const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
          partitionId,
          leader: 1,
          partitionErrorCode: 0,
          replicas: [1],
          isr: [1],
        }))
        const message = { key: Buffer.from(bytes), value: null }
        const choice = { topic: 't', partitionMetadata, message }
        const chosen = Partitioners.DefaultPartitioner()(choice)
        assert.equal(partitionFor(bytes, count), chosen)
        assert.equal(createPartitioner()(choice), chosen)
        assert.equal(createPartitioner()({ ...choice, message: { ...message, partition: 7 } }), 7)
      }),
    )
  })

  it('takes a string as its UTF-8 bytes', () => {
    assert.equal(partitionFor('Zürich', 1_000), partitionFor(Buffer.from('Zürich', 'utf8'), 1_000))
  })

  it('refuses a topic without partitions', () => {
    assert.throws(() => partitionFor('a', 0), RangeError)
  })
})
