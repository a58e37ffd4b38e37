import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import { goldenOf, readCorpus } from '../../support/golden.ts'

describe('a message of the corpus reads as its golden file says', () => {
  for (const { name, raw, golden } of readCorpus()) {
    test(name, () => {
      assert.deepEqual(JSON.parse(JSON.stringify(goldenOf(raw))), JSON.parse(readFileSync(golden, 'utf8')))
    })
  }
})

test('the corpus has a message for each point, 120 at least', () => {
  assert.ok(readCorpus().length >= 120)
})
