import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'

import { Secret } from '../../src/config/secret.ts'
import { TokenCipher } from '../../src/oauth/token-cipher.ts'

const newKey = (): Secret => new Secret(randomBytes(32).toString('base64'))

describe('values of the token topic', () => {
  it('open with the key that they were sealed with, current or previous, under their own record key', () => {
    const key = newKey()
    const sealed = new TokenCipher(key, []).seal('["a","smtp"]', 'refresh-token-1')
    assert.ok(!sealed.includes('refresh-token'))
    assert.equal(new TokenCipher(key, []).open('["a","smtp"]', sealed), 'refresh-token-1')
    assert.equal(new TokenCipher(newKey(), [key]).open('["a","smtp"]', sealed), 'refresh-token-1')
    assert.equal(new TokenCipher(newKey(), []).open('["a","smtp"]', sealed), null)
    assert.equal(new TokenCipher(key, []).open('["b","smtp"]', sealed), null)
  })

  it('do not open when a single byte was changed or is missing', () => {
    const cipher = new TokenCipher(newKey(), [])
    const sealed = cipher.seal('k', 'text')
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ 1
      assert.equal(cipher.open('k', changed), null, `byte ${at}`)
      assert.equal(cipher.open('k', sealed.subarray(0, at)), null, `${at} bytes`)
    }
  })

  it('are never the same twice', () => {
    const cipher = new TokenCipher(newKey(), [])
    assert.ok(!cipher.seal('k', 'text').equals(cipher.seal('k', 'text')))
  })
})
