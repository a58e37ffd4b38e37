import assert from 'node:assert/strict'
import { test } from 'node:test'

import { fingerprintOf } from '../../src/avro/fingerprint.ts'

// The 64-bit fingerprints that other implementations (Avro's own test data, fastavro 1.13) give.
const known: [string, bigint][] = [
  ['null', 0x63dd24e7cc258f8an],
  ['boolean', 0x9f42fc78a4d4f764n],
  ['int', 0x7275d51a3f395c8fn],
  ['long', 0xd054e14493f41db7n],
  ['float', 0x4d7c02cb3ea8d790n],
  ['double', 0x8e7535c032ab957en],
  ['bytes', 0x4fc016dac3201965n],
  ['string', 0x8f014872634503c7n],
]

test('fingerprints of the primitive types are those of the other implementations, lowest byte first', () => {
  for (const [name, fingerprint] of known) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(fingerprint)
    assert.equal(fingerprintOf(`"${name}"`), bytes.toString('hex'), name)
  }
})
