/** What Posthorn reads in the corpus is what parsers of other languages read, or a file says why it is not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { pythonWith } from '../support/python.ts'

const script = fileURLToPath(new URL('../agreement/compare_parsers.py', import.meta.url))
const corpus = fileURLToPath(new URL('../fixtures/eml/', import.meta.url))
const explanations = new URL('../fixtures/eml/differences.json', import.meta.url)

interface Comparison {
  counts: Record<string, { both: number; one: number; none: number }>
  differences: { message: string; field: string; posthorn: unknown; python?: unknown; rust?: unknown }[]
}

test('Posthorn agrees with Python or Rust on at least 99.9 % of each field, but for differences that are explained', async () => {
  const python = await pythonWith('fast-mail-parser==0.10.0')
  const { counts, differences } = JSON.parse(await python(script, [corpus], '')) as Comparison
  const explained = JSON.parse(readFileSync(explanations, 'utf8')) as Record<string, { fields: string[]; why: string }>
  const isExplained = (message: string, field: string): boolean => explained[message]?.fields.includes(field) === true

  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
  for (const [field, { both, one, none }] of Object.entries(counts)) {
    const open = differences.filter((each) => each.field === field && !isExplained(each.message, field)).length
    const all = both + one + none
    const shares = [both / all, (both + one) / all, 1 - open / all].map(percent)
    console.log(`${field}: both ${shares[0]}, one at least ${shares[1]}, with what is explained ${shares[2]}`)
    assert.ok(open / all <= 0.001, `${field}: ${JSON.stringify(differences.filter((each) => each.field === field))}`)
  }

  for (const [message, { fields, why }] of Object.entries(explained)) {
    assert.ok(why.length > 20, message)
    for (const field of fields) {
      const isReal = differences.some((each) => each.message === message && each.field === field)
      assert.ok(isReal, `${message}, ${field}: explained, but there is no difference any more`)
    }
  }
})
