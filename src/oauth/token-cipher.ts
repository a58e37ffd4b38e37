/**
 * Values of the token topic, encrypted and authenticated with AES-256-GCM (NIST SP 800-38D) under a key of the
 * configuration. The key of the record is authenticated along with its value: a value that is moved to another account
 * can't be read there.
 *
 * A value is `01`, the first 4 bytes of the key's SHA-256, 12 random bytes, the ciphertext, and a tag of 16 bytes.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

import type { Secret } from '../config/secret.ts'

const algorithm = 'aes-256-gcm'
const version = 1
const keyIdBytes = 4
const ivBytes = 12
const tagBytes = 16

interface CipherKey {
  id: Buffer
  bytes: Buffer
}

/** @param key 32 bytes as base64 */
const cipherKey = (key: Secret): CipherKey => {
  const bytes = Buffer.from(key.reveal(), 'base64')
  return { bytes, id: createHash('sha256').update(bytes).digest().subarray(0, keyIdBytes) }
}

export class TokenCipher {
  readonly #current: CipherKey
  readonly #all: readonly CipherKey[]

  /** @param previous keys that values may still be encrypted with */
  constructor(current: Secret, previous: readonly Secret[]) {
    this.#current = cipherKey(current)
    this.#all = [this.#current, ...previous.map(cipherKey)]
  }

  seal(recordKey: string, text: string): Buffer {
    const { id, bytes } = this.#current
    const iv = randomBytes(ivBytes)
    const cipher = createCipheriv(algorithm, bytes, iv).setAAD(Buffer.from(recordKey, 'utf8'))
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([Buffer.of(version), id, iv, sealed, cipher.getAuthTag()])
  }

  /** @returns null where no key that is known opens it, or the value or its key was changed */
  open(recordKey: string, value: Buffer): string | null {
    const head = 1 + keyIdBytes
    if (value[0] !== version || value.length < head + ivBytes + tagBytes) return null
    const key = this.#all.find(({ id }) => id.equals(value.subarray(1, head)))
    if (key === undefined) return null
    try {
      const iv = value.subarray(head, head + ivBytes)
      const decipher = createDecipheriv(algorithm, key.bytes, iv, { authTagLength: tagBytes })
        .setAAD(Buffer.from(recordKey, 'utf8'))
        .setAuthTag(value.subarray(-tagBytes))
      const sealed = value.subarray(head + ivBytes, -tagBytes)
      return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8')
    } catch {
      return null
    }
  }
}
