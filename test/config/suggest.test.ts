import assert from 'node:assert/strict'
import { it } from 'node:test'

import { suggest } from '../../src/config/suggest.ts'

const known = ['host', 'port', 'security', 'allowPlaintextAuth', 'caFile']

it('suggests the known key that is closest, whatever its case and separators', () => {
  assert.equal(suggest('hots', known), null)
  assert.equal(suggest('hosts', known), 'host')
  assert.equal(suggest('secure', known), null)
  assert.equal(suggest('securty', known), 'security')
  assert.equal(suggest('ca_file', known), 'caFile')
  assert.equal(suggest('ALLOW-PLAINTEXT-AUTH', known), 'allowPlaintextAuth')
})

it('suggests nothing for a word that is like none, and for a very long one', () => {
  assert.equal(suggest('x', known), null)
  assert.equal(suggest('entirely-different', known), null)
  assert.equal(suggest('h'.repeat(100_000), known), null)
})
