import assert from 'node:assert/strict'
import { test } from 'node:test'

import { fuzzParser } from '../support/fuzz-parser.ts'

/** `npm run fuzz -- --seconds 600 --seed 1` looks longer. */
const seconds = 20

test('twenty seconds of damaged messages find nothing that breaks a rule of reading', () => {
  const { executions, slowestMs, findings } = fuzzParser(20_261_124, seconds)
  const found = findings.map(({ execution, error, message }) => `#${execution} ${error}\n${message.toString('base64')}`)
  assert.deepEqual(found, [])
  assert.ok(executions > 1000, `only ${executions} messages`)
  assert.ok(slowestMs < 1000, `${slowestMs} ms for one message`)
})
