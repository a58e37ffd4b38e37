import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

import { fingerprintOfType, parseRecordType } from '../../src/avro/avro-type.ts'
import { recordUnions } from '../../src/avro/record-unions.ts'
import { recordNames, type RecordName } from '../../src/avro/records.ts'
import { schemaText } from './arbitrary-records.ts'

interface Node {
  [key: string]: unknown
}

const released = (record: RecordName): { version: string; text: string }[] => {
  const folder = new URL(`../../schemas/released/${record}/`, import.meta.url)
  return readdirSync(folder)
    .sort((a, b) => Number(a.slice(1, -5)) - Number(b.slice(1, -5)))
    .map((file) => ({ version: file.slice(0, -5), text: readFileSync(new URL(file, folder), 'utf8') }))
}

const parse = (text: string) => parseRecordType(JSON.parse(text))

/** Every object within a schema. */
const nodes = (schema: unknown): Node[] => {
  if (typeof schema !== 'object' || schema === null) return []
  const inner = Object.values(schema).flatMap(nodes)
  return Array.isArray(schema) ? inner : [schema as Node, ...inner]
}

const resolve = (reader: string, writer: string): void => void parse(reader).createResolver(parse(writer))

test('every file in schemas is a record that the code knows', () => {
  const files = readdirSync(new URL('../../schemas/', import.meta.url)).filter((file) => file.endsWith('.avsc'))
  assert.deepEqual(
    files.map((file) => file.slice(0, -5)),
    [...recordNames],
  )
  for (const record of recordNames) assert.equal(parse(schemaText(record)).name, `posthorn.${record}`)
})

for (const record of recordNames) {
  test(`${record}: each record, enum and field says what it is`, () => {
    for (const node of nodes(JSON.parse(schemaText(record)))) {
      const described = node.type === 'record' || node.type === 'enum' || ('name' in node && 'type' in node)
      if (described) assert.ok(typeof node.doc === 'string' && node.doc.length > 5, JSON.stringify(node))
    }
  })

  test(`${record}: whatever may be null is optional, and null by default`, () => {
    for (const { type, name, ...field } of nodes(JSON.parse(schemaText(record))))
      if (Array.isArray(type) && type.includes('null')) {
        assert.equal(type[0], 'null', String(name))
        assert.equal(field.default, null, String(name))
      }
  })

  test(`${record}: the schema is the newest released version; change it by adding the next one`, () => {
    assert.deepEqual(JSON.parse(schemaText(record)), JSON.parse(released(record).at(-1)?.text ?? 'null'))
  })

  test(`${record}: every two released versions read one another's records`, () => {
    for (const reader of released(record))
      for (const writer of released(record))
        assert.doesNotThrow(() => resolve(reader.text, writer.text), `${reader.version} reading ${writer.version}`)
  })

  test(`${record}: docs/records.md lists the fingerprint of every released version`, () => {
    const docs = readFileSync(new URL('../../docs/records.md', import.meta.url), 'utf8')
    for (const { version, text } of released(record))
      assert.ok(docs.includes(`| ${record} | ${version} | \`${fingerprintOfType(parse(text))}\` |`), version)
  })

  test(`${record}: a union of several records is a field of the topmost record, where it can be unwrapped`, () => {
    const ambiguous = nodes(JSON.parse(schemaText(record))).filter(
      ({ type }) => Array.isArray(type) && type.filter((branch: Node) => branch.type === 'record').length > 1,
    )
    assert.equal(recordUnions(parse(schemaText(record))).length, ambiguous.length)
  })
}

test('the comparison of versions finds a new field without a default, in either direction', () => {
  const schema = JSON.parse(schemaText('SendResult'))
  schema.fields.push({ name: 'more', type: 'string', doc: 'Without a default.' })
  const changed = JSON.stringify(schema)
  assert.throws(() => resolve(changed, schemaText('SendResult')), /more/)
  assert.doesNotThrow(() => resolve(schemaText('SendResult'), changed))
})

test('the comparison of versions finds a new symbol', () => {
  const changed = schemaText('SendResult').replace('"INDETERMINATE"]', '"INDETERMINATE", "LOST"]')
  assert.notEqual(changed, schemaText('SendResult'))
  assert.throws(() => resolve(schemaText('SendResult'), changed))
})
