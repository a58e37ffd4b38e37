import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { defectList } from '../../../src/mail/parse/defects.ts'
import { readCorpus, goldenOf } from '../../support/golden.ts'

test('docs/mail.md lists every defect, and no other', () => {
  const docs = readFileSync(new URL('../../../docs/mail.md', import.meta.url), 'utf8')
  const listed = docs.slice(docs.indexOf('## Defects')).matchAll(/^- `(.*)`$/gm)
  assert.deepEqual(
    Array.from(listed, ([, defect]) => defect),
    [...defectList],
  )
})

test('every defect that is not about a bound is in the corpus', () => {
  const seen = new Set(readCorpus().flatMap(({ raw }) => (goldenOf(raw) as { defects: string[] }).defects))
  const unseen = defectList.filter((defect) => !seen.has(defect) && !/bound/.test(defect))
  assert.deepEqual(unseen, [])
})
