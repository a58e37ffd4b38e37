import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'

import { Ajv } from 'ajv'
import { parse } from 'yaml'

import { hideReferences, showReferences } from '../../src/config/references.ts'
import { docsFile, renderDocs, renderSchema, schemaFile } from '../../scripts/generate-config-schema.ts'
import { compile, contractExample, refusals, withSections, withSmtp } from './support.ts'

const validate = new Ajv({ strict: true, strictTypes: false }).compile(JSON.parse(readFileSync(schemaFile, 'utf8')))

/** What an editor sees: references as they are written. */
const asWritten = (text: string): unknown => {
  const hidden = hideReferences(text)
  assert.ok(hidden)
  return parse(hidden.text, (_, value: unknown) =>
    typeof value === 'string' ? showReferences(value, hidden.base) : value,
  )
}

describe('posthorn.schema.json', () => {
  it('is what the script writes today', () => {
    assert.equal(readFileSync(schemaFile, 'utf8'), renderSchema())
  })

  it('accepts the example of the contract', () => {
    assert.ok(validate(asWritten(contractExample)), JSON.stringify(validate.errors))
  })

  it('accepts a reference where a number, a flag or one of a few words stands', () => {
    const written = withSmtp('port: ${PORT}, allowPlaintextAuth: ${ON}, rate: "${A}/1m"').replace('tls', '${SECURITY}')
    assert.ok(validate(asWritten(written)), JSON.stringify(validate.errors))
  })

  it('refuses what the configuration refuses by its shape', () => {
    const wrong = [
      'accounts: {}',
      withSections('acounts: {}'),
      withSmtp('port: "25"'),
      withSmtp('rate: fast'),
      withSmtp('secure: true'),
      withSmtp('auth: { pass: p }'),
      withSections('limits: { maxMessageBytes: 25mb }'),
      withSections('kafka: { brokers: [] }'),
    ]
    for (const text of wrong) {
      assert.notDeepEqual(refusals(text), [], text)
      assert.ok(!validate(asWritten(text)), text)
    }
  })
})

describe('docs/configuration.md', () => {
  const docs = readFileSync(docsFile, 'utf8')

  it('lists every key as the schema has it', () => {
    assert.equal(docs, renderDocs(docs))
  })

  it('shows examples that are right', () => {
    const examples = [...docs.matchAll(/```yaml\n(kafka:[\s\S]*?)```/g)].map(([, text = '']) => text)
    assert.equal(examples.length, 1)
    for (const text of examples) {
      assert.ok(validate(asWritten(text)), JSON.stringify(validate.errors))
      const filled = text.replace('${file:/run/secrets/s3}', 's').replace('${SUPPORT_PASSWORD}', 'p')
      assert.deepEqual(Object.keys(compile(filled).accounts), ['support'])
    }
  })
})
