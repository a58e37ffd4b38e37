import assert from 'node:assert/strict'
import { it } from 'node:test'
import { format, inspect } from 'node:util'

import { Secret } from '../../src/config/secret.ts'

it('a secret shows itself only when asked to', () => {
  const secret = new Secret('hunter2')
  assert.equal(secret.reveal(), 'hunter2')
  const shown = [
    String(secret),
    'a' + String(secret),
    JSON.stringify({ secret }),
    inspect({ secret }, { showHidden: true, depth: null }),
    format('%s %o %j', secret, secret, secret),
    JSON.stringify(structuredClone(secret)),
    JSON.stringify(Object.entries(secret)),
  ]
  for (const text of shown) assert.doesNotMatch(text, /hunter2/)
  assert.equal(String(secret), '[secret]')
})
