import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { compressBlock, decompressBlock, maxBlockBytes } from '../../../src/kafka/compression/lz4-block.ts'
import { compressLz4, decompressLz4 } from '../../../src/kafka/compression/lz4-frame.ts'
import { compressSnappy, decompressSnappy } from '../../../src/kafka/compression/snappy.ts'
import { xxhash32 } from '../../../src/kafka/compression/xxhash32.ts'
import { compressZstd, decompressZstd } from '../../../src/kafka/compression/zstd.ts'

/** Pieces that repeat near and far, as records do. */
const content = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 0, maxLength: 200 }), fc.nat(300)), { maxLength: 30 })
  .map((pieces) => Buffer.concat(pieces.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))))

const line = 'Received: from mail.example.com by mx.example.org; Tue, 24 Nov 2026 20:00:00 +0000\r\n'
const samples: Record<string, Buffer> = {
  nothing: Buffer.alloc(0),
  'one byte': Buffer.from('x'),
  'a run': Buffer.alloc(200_000, 'a'),
  'lines of text': Buffer.from(line.repeat(3_000)),
  noise: randomBytes(200_000),
  'exactly one block': Buffer.from(line.repeat(1_000)).subarray(0, 65_536),
  'a block and a byte': Buffer.from(line.repeat(1_000)).subarray(0, 65_537),
}

describe('LZ4', () => {
  it('gives back what it took', () => {
    for (const [name, bytes] of Object.entries(samples)) {
      assert.ok(decompressLz4(compressLz4(bytes)).equals(bytes), name)
    }
    fc.assert(fc.property(content, (bytes) => decompressLz4(compressLz4(bytes)).equals(bytes)))
  })

  it('makes text smaller and noise hardly larger', () => {
    assert.ok(compressLz4(Buffer.from(line.repeat(3_000))).length < 10_000)
    assert.ok(compressLz4(samples['noise'] ?? Buffer.alloc(0)).length < 200_050)
  })

  it('has the header that the Java client wants: independent blocks of 64 KB', () => {
    // The frame of `hello` as the reference implementation writes it with these options, but for the block, which is stored.
    assert.equal(compressLz4(Buffer.from('hello')).toString('hex'), '04224d186040820500008068656c6c6f00000000')
  })

  it('refuses a damaged frame instead of giving something else', () => {
    const frame = compressLz4(Buffer.from(line.repeat(100)))
    for (const [at, what] of [
      [0, /magic number/],
      [4, /version|dictionary|checksum of its header/],
      [6, /checksum of its header/],
    ] as const) {
      const damaged = Buffer.from(frame)
      damaged[at] = (damaged[at] ?? 0) ^ 0xc1
      assert.throws(() => decompressLz4(damaged), what)
    }
    for (let length = 0; length < frame.length; length += 1)
      assert.throws(() => decompressLz4(frame.subarray(0, length)))
  })

  it('never reads or writes outside, whatever a block says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const output = Buffer.alloc(1_000, 7)
        try {
          const end = decompressBlock(Buffer.from(bytes), output.subarray(0, 500), 0)
          assert.ok(end <= 500)
        } catch (error) {
          assert.match((error as Error).message, /corrupt/)
        }
        assert.ok(output.subarray(500).every((byte) => byte === 7))
      }),
    )
  })

  it('refuses a match from before the beginning, of offset 0, or beyond the end', () => {
    const literals = Buffer.from('abcd')
    for (const [offset, lengths] of [
      [5, [0x44]],
      [0, [0x44]],
      [4, [0x4f, 255, 255]],
    ] as const) {
      const [token = 0, ...more] = lengths
      const block = Buffer.from([token, ...literals, offset, 0, ...more, ...(more.length > 0 ? [0] : []), 0x10, 0x78])
      assert.throws(() => decompressBlock(block, Buffer.alloc(100), 0), /corrupt/)
    }
  })

  it('reads a match of the block before', () => {
    const first = Buffer.from('abcdefghijklmnopqrstuvwxyz')
    const output = Buffer.alloc(100)
    first.copy(output)
    // No literals, a match of 8 bytes 26 back, then 5 literals.
    const end = decompressBlock(Buffer.from([0x04, 26, 0, 0x50, ...Buffer.from('final')]), output, 26)
    assert.equal(output.subarray(26, end).toString(), 'abcdefghfinal')
    const block = Buffer.alloc(maxBlockBytes(first.length))
    assert.equal(decompressBlock(block.subarray(0, compressBlock(first, block)), output, 0), 26)
  })
})

describe('xxHash', () => {
  it('has the published values', () => {
    assert.equal(xxhash32(Buffer.from('')), 0x02cc5d05)
    assert.equal(xxhash32(Buffer.from('a')), 0x550d7456)
    assert.equal(xxhash32(Buffer.from('Nobody inspects the spammish repetition')), 0xe2293b2f)
  })
})

describe('snappy', () => {
  it('gives back what it took', () => {
    for (const [name, bytes] of Object.entries(samples)) {
      assert.ok(decompressSnappy(compressSnappy(bytes)).equals(bytes), name)
    }
    fc.assert(fc.property(content, (bytes) => decompressSnappy(compressSnappy(bytes)).equals(bytes)))
  })

  it('reads the framing of the Java client, and refuses one that is cut off', () => {
    const parts = [Buffer.from('first '), Buffer.from(line.repeat(10))]
    const framed = Buffer.concat([
      Buffer.from('82534e41505059000000000100000001', 'hex'),
      ...parts.flatMap((part) => {
        const block = compressSnappy(part)
        const length = Buffer.alloc(4)
        length.writeUInt32BE(block.length)
        return [length, block]
      }),
    ])
    assert.ok(decompressSnappy(framed).equals(Buffer.concat(parts)))
    assert.throws(() => decompressSnappy(framed.subarray(0, -1)), /ends too soon/)
  })
})

describe('zstd', () => {
  it('gives back what it took', async () => {
    for (const [name, bytes] of Object.entries(samples)) {
      assert.ok(decompressZstd(await compressZstd(bytes)).equals(bytes), name)
    }
  })

  it('refuses what is no frame', () => {
    assert.throws(() => decompressZstd(Buffer.from('hello')))
  })
})
