/**
 * Writes src/avro/records.ts from schemas/*.avsc: `npx tsx scripts/generate-types.ts`.
 *
 * Every named Avro type becomes one TypeScript type. A record that has optional parts, here or deeper, also gets an
 * `…Input` type for producers, in which whatever has a default may be left out.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

interface Field {
  name: string
  type: Schema
  doc?: string
  default?: unknown
}
interface RecordSchema {
  type: 'record'
  name: string
  namespace?: string
  doc?: string
  fields: Field[]
}
interface EnumSchema {
  type: 'enum'
  name: string
  doc?: string
  symbols: string[]
}
type Schema =
  | string
  | Schema[]
  | RecordSchema
  | EnumSchema
  | { type: 'array'; items: Schema }
  | { type: 'map'; values: Schema }
  | { type: 'long'; logicalType: string }
type NamedSchema = RecordSchema | EnumSchema

const root = new URL('../', import.meta.url)
export const recordsFile = fileURLToPath(new URL('src/avro/records.ts', root))

const primitives: Record<string, string> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  string: 'string',
  bytes: 'Buffer',
}

const isNamed = (schema: Schema): schema is NamedSchema =>
  typeof schema === 'object' && 'type' in schema && (schema.type === 'record' || schema.type === 'enum')

const children = (schema: Schema): Schema[] => {
  if (typeof schema === 'string') return []
  if (Array.isArray(schema)) return schema
  if (schema.type === 'record') return schema.fields.map((field) => field.type)
  if (schema.type === 'array') return [schema.items]
  if (schema.type === 'map') return [schema.values]
  return []
}

/** Named types, those that others need first. The same name in two files must be the same type. */
const collect = (schema: Schema, found: Map<string, NamedSchema>): void => {
  for (const child of children(schema)) collect(child, found)
  if (!isNamed(schema)) return
  const known = found.get(schema.name)
  if (known === undefined) found.set(schema.name, schema)
  else if (described(known) !== described(schema)) throw new Error(`two different types are called ${schema.name}`)
}

/** A type's definition with the types that it uses by name only: it may define them in one file and not in another. */
const described = (schema: NamedSchema): string =>
  JSON.stringify(schema, (key, value: Schema | null) => {
    if (key === 'namespace') return undefined
    return key !== '' && value !== null && isNamed(value) ? value.name : value
  })

/** Names of the records whose input differs from their output. */
const lenientRecords = (types: Map<string, NamedSchema>): Set<string> => {
  const lenient = new Set<string>()
  const isLenient = (schema: Schema): boolean =>
    typeof schema === 'string'
      ? lenient.has(schema)
      : (isNamed(schema) && lenient.has(schema.name)) || (!isNamed(schema) && children(schema).some(isLenient))
  for (const [name, type] of types)
    if (type.type === 'record' && type.fields.some((field) => field.default !== undefined || isLenient(field.type)))
      lenient.add(name)
  return lenient
}

const generate = (schemas: RecordSchema[]): string => {
  const types = new Map<string, NamedSchema>()
  for (const schema of schemas) collect(schema, types)
  const lenient = lenientRecords(types)

  const named = (name: string, input: boolean): string => (input && lenient.has(name) ? `${name}Input` : name)
  const typeOf = (schema: Schema, input: boolean): string => {
    if (typeof schema === 'string') return primitives[schema] ?? named(schema, input)
    if (Array.isArray(schema)) {
      const nullLast = [
        ...schema.filter((branch) => branch !== 'null'),
        ...schema.filter((branch) => branch === 'null'),
      ]
      return nullLast.map((branch) => typeOf(branch, input)).join(' | ')
    }
    if (schema.type === 'array') {
      const items = typeOf(schema.items, input)
      return items.includes('|') ? `(${items})[]` : `${items}[]`
    }
    if (schema.type === 'map') return `Record<string, ${typeOf(schema.values, input)}>`
    if (schema.type === 'long') return 'number'
    return named(schema.name, input)
  }
  const isTime = (schema: Schema): boolean =>
    typeof schema === 'object' && (Array.isArray(schema) ? schema.some(isTime) : schema.type === 'long')
  const fieldDoc = (field: Field): string =>
    `  /** ${field.doc}${isTime(field.type) ? ' Milliseconds since the epoch.' : ''} */`
  const interfaceOf = (schema: RecordSchema, input: boolean): string => {
    const lines = schema.fields.flatMap((field) => {
      const optional = input && field.default !== undefined
      const type = typeOf(field.type, input)
      return [fieldDoc(field), `  ${field.name}${optional ? `?: ${type} | undefined` : `: ${type}`}`]
    })
    const doc = input ? `${schema.name} as a producer writes it: what has a default may be left out.` : schema.doc
    return [`/** ${doc} */`, `export interface ${named(schema.name, input)} {`, ...lines, '}'].join('\n')
  }
  const declare = (schema: NamedSchema): string[] => {
    if (schema.type === 'enum') {
      const union = schema.symbols.map((symbol) => `'${symbol}'`).join(' | ')
      return [`/** ${schema.doc} */\nexport type ${schema.name} = ${union}`]
    }
    return lenient.has(schema.name)
      ? [interfaceOf(schema, false), interfaceOf(schema, true)]
      : [interfaceOf(schema, false)]
  }
  const table = (title: string, doc: string, input: boolean): string => {
    const lines = schemas.map(({ name }) => `  ${name}: ${named(name, input)}`)
    return [`/** ${doc} */`, `export interface ${title} {`, ...lines, '}'].join('\n')
  }
  const names = schemas.map(({ name }) => `'${name}'`).join(', ')
  return [
    '/* GENERATED from schemas/*.avsc by scripts/generate-types.ts: change those and run it again. Do not edit. */',
    ...[...types.values()].flatMap(declare),
    table('RecordTypes', 'What each record decodes to.', false),
    table('RecordInputs', 'What each record can be encoded from.', true),
    'export type RecordName = keyof RecordTypes',
    `/** The records that are values of topics. */\nexport const recordNames = [${names}] as const satisfies RecordName[]`,
  ]
    .join('\n\n')
    .concat('\n')
}

/** The text that src/avro/records.ts has to have. */
export const generateTypes = (): string => {
  const folder = new URL('schemas/', root)
  const files = readdirSync(folder).filter((file) => file.endsWith('.avsc'))
  return generate(files.sort().map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as RecordSchema))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(recordsFile, generateTypes())
