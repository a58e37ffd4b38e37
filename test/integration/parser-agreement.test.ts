/** What Posthorn reads in the corpus is what several parsers agree on, or a file says why it is not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { readCorpus } from '../support/golden.ts'
import { readWithParsers } from '../support/parser-readings.ts'
import { pythonWith } from '../support/python.ts'

const script = fileURLToPath(new URL('../agreement/compare_parsers.py', import.meta.url))
const corpus = fileURLToPath(new URL('../fixtures/eml/', import.meta.url))
const explanations = new URL('../fixtures/eml/differences.json', import.meta.url)

interface Comparison {
  /** Messages in which two parsers or more agree on the field, and those of them in which Posthorn says the same. */
  counts: Record<string, { agreed: number; same: number }>
  differences: { message: string; field: string }[]
}

test('Posthorn reads what most of five parsers agree on in 99.9 % of each field, but for differences that are explained', async (t) => {
  // jsmime tells its console of charsets that it does not know.
  t.mock.method(console, 'error', () => undefined)
  t.mock.method(console, 'warn', () => undefined)
  const python = await pythonWith('fast-mail-parser==0.10.0')
  const readings = await readWithParsers(readCorpus())
  const { counts, differences } = JSON.parse(await python(script, [corpus], JSON.stringify(readings))) as Comparison
  const explained = JSON.parse(readFileSync(explanations, 'utf8')) as Record<string, { fields: string[]; why: string }>
  const isExplained = (message: string, field: string): boolean => explained[message]?.fields.includes(field) === true

  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
  for (const [field, { agreed, same }] of Object.entries(counts)) {
    const open = differences.filter((each) => each.field === field && !isExplained(each.message, field))
    const shares = [same / agreed, 1 - open.length / agreed].map(percent)
    t.diagnostic(`${field}: ${same} of ${agreed}, ${shares[0]}; with what is explained ${shares[1]}`)
    assert.ok(open.length / agreed <= 0.001, `${field}: ${JSON.stringify(open)}`)
  }

  for (const [message, { fields, why }] of Object.entries(explained)) {
    assert.ok(why.length > 20, message)
    for (const field of fields) {
      const isReal = differences.some((each) => each.message === message && each.field === field)
      assert.ok(isReal, `${message}, ${field}: explained, but there is no difference any more`)
    }
  }
})
