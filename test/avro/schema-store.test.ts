import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'

import { createCodec, type RecordCodec } from '../../src/avro/codec.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import { schemaText } from './arbitrary-records.ts'

/** A codec with the shipped schemas, of which SendRequest has a second released version with one more field. */
const newerCodec = (t: TestContext): RecordCodec => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-schemas-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(new URL('../../schemas/', import.meta.url), folder, { recursive: true })
  const schema = JSON.parse(schemaText('SendRequest'))
  schema.fields.splice(1, 0, { name: 'campaign', type: ['null', 'string'], default: null, doc: 'New.' })
  for (const file of ['SendRequest.avsc', 'released/SendRequest/v2.avsc'])
    writeFileSync(join(folder, file), JSON.stringify(schema))
  const schemas = loadSchemas(pathToFileURL(`${folder}/`))
  return createCodec({ schemas, encoding: 'single-object', registry: null })
}

test('a newer Posthorn reads what an older one wrote, by its fingerprint', async (t) => {
  const older = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })
  const newer = newerCodec(t)
  const bytes = await older.encode('SendRequest', { id: 'r1', to: ['a@b.c'], tags: { a: 'b' } }, 't')
  const value = await newer.decode('SendRequest', bytes)
  assert.deepEqual(
    [value.id, value.to, value.tags, Reflect.get(value, 'campaign')],
    ['r1', ['a@b.c'], { a: 'b' }, null],
  )
})

test('an older Posthorn does not know a newer schema, and says so', async (t) => {
  const older = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })
  const bytes = await newerCodec(t).encode('SendRequest', { id: 'r1' }, 't')
  await assert.rejects(older.decode('SendRequest', bytes), { code: 'RECORD_SCHEMA_UNKNOWN' })
})
