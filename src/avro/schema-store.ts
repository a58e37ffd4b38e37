/**
 * The schemas that this package ships: the current one of each record, and every released version of it, by which
 * older single-object records are read.
 */

import { readdirSync, readFileSync } from 'node:fs'

import { fingerprintOfType, parseRecordType } from './avro-type.ts'
import { compileRecord, type ReadBody, type RecordSchema } from './record-schema.ts'
import { recordNames, type RecordName } from './records.ts'

export interface Reader {
  readonly record: RecordName
  readonly read: ReadBody
}

export interface SchemaStore {
  schema(record: RecordName): RecordSchema
  /** Reader of the bodies that were written with a shipped schema; undefined where the fingerprint is not known. */
  reader(fingerprint: string): Reader | undefined
}

/** Beside `src` and `dist` alike. */
const shippedSchemas = new URL('../../schemas/', import.meta.url)

/**
 * Reads and compiles the schemas.
 *
 * @throws Error when the installed package is damaged.
 */
export const loadSchemas = (folder: URL = shippedSchemas): SchemaStore => {
  const schemas = new Map<RecordName, RecordSchema>()
  const readers = new Map<string, Reader>()
  for (const record of recordNames) {
    const schema = compileRecord(record, readFileSync(new URL(`${record}.avsc`, folder), 'utf8'))
    schemas.set(record, schema)
    const released = new URL(`released/${record}/`, folder)
    const versions = readdirSync(released).map((file) => readFileSync(new URL(file, released), 'utf8'))
    for (const json of [...versions, schema.json]) {
      const writer = parseRecordType(JSON.parse(json))
      const fingerprint = fingerprintOfType(writer)
      if (!readers.has(fingerprint)) readers.set(fingerprint, { record, read: schema.readerOf(writer) })
    }
  }
  return {
    schema: (record) => {
      const schema = schemas.get(record)
      if (schema === undefined) throw new Error(`no schema of ${record}`)
      return schema
    },
    reader: (fingerprint) => readers.get(fingerprint),
  }
}
