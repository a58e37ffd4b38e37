import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { generateTypes, recordsFile } from '../../scripts/generate-types.ts'

test('src/avro/records.ts is what the schemas generate; run scripts/generate-types.ts when it is not', () => {
  assert.equal(readFileSync(recordsFile, 'utf8'), generateTypes())
})
