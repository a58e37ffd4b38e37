/**
 * CRC-64-AVRO: the 64-bit Rabin fingerprint by which a single-object record names its schema
 * (Avro specification, "Schema Fingerprints" and "Single-object encoding").
 */

/** Fingerprint of no bytes at all, and the polynomial. */
const empty = 0xc15d213aa4d7a795n

const table = (): BigUint64Array => {
  const entries = new BigUint64Array(256)
  for (let index = 0n; index < 256n; index++) {
    let entry = index
    for (let bit = 0; bit < 8; bit++) entry = (entry >> 1n) ^ (entry & 1n ? empty : 0n)
    entries[Number(index)] = entry
  }
  return entries
}

/**
 * Fingerprint of a schema given in Parsing Canonical Form.
 *
 * @returns 8 bytes in hex, the least significant first: as they stand in a record's header.
 */
export const fingerprintOf = (canonicalForm: string): string => {
  const entries = table()
  let fingerprint = empty
  for (const byte of Buffer.from(canonicalForm, 'utf8')) {
    const index = Number((fingerprint ^ BigInt(byte)) & 0xffn)
    fingerprint = (fingerprint >> 8n) ^ (entries[index] ?? 0n)
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(fingerprint)
  return bytes.toString('hex')
}
