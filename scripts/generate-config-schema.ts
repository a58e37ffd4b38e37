/**
 * Writes `posthorn.schema.json`, for editors, and the tables of keys in `docs/configuration.md`, both from the zod
 * schema that the configuration is checked against. A test fails when either is out of date.
 *
 *     node --import tsx scripts/generate-config-schema.ts
 */

import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'

import { z } from 'zod'

import { configFile } from '../src/config/schema.ts'

interface Schema {
  title?: string
  description?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  pattern?: string
  default?: unknown
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  additionalProperties?: Schema | boolean
  anyOf?: Schema[]
  oneOf?: Schema[]
  $ref?: string
}

export const schemaFile = new URL('../posthorn.schema.json', import.meta.url)
export const docsFile = new URL('../docs/configuration.md', import.meta.url)

const reference: Schema = {
  title: 'reference',
  description: 'Filled in when the configuration is read.',
  type: 'string',
  pattern: String.raw`\$\{[^{}]*\}`,
}

const isNarrow = ({ type, pattern, enum: names, const: only }: Schema): boolean =>
  type === 'integer' || type === 'boolean' || pattern !== undefined || names !== undefined || only !== undefined

const mapValues = (schemas: Record<string, Schema>): Record<string, Schema> =>
  Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, withReferences(schema)]))

/** A reference may stand wherever a value may, also where only a number or one of a few words is taken. */
const withReferences = (schema: Schema): Schema => {
  if (isNarrow(schema)) {
    const { title, description, default: fallback, ...rule } = schema
    const notes = Object.entries({ title, description, default: fallback }).filter(([, note]) => note !== undefined)
    return { ...Object.fromEntries(notes), anyOf: [rule, { $ref: '#/definitions/reference' }] }
  }
  const { default: fallback, ...rest } = schema
  const isEmptyObject = typeof fallback === 'object' && fallback !== null && Object.keys(fallback).length === 0
  return {
    ...rest,
    ...(fallback === undefined || (isEmptyObject && !Array.isArray(fallback)) ? {} : { default: fallback }),
    ...(schema.properties && { properties: mapValues(schema.properties) }),
    ...(schema.items && { items: withReferences(schema.items) }),
    ...(typeof schema.additionalProperties === 'object' && {
      additionalProperties: withReferences(schema.additionalProperties),
    }),
    ...(schema.anyOf && { anyOf: schema.anyOf.map(withReferences) }),
    ...(schema.oneOf && { oneOf: schema.oneOf.map(withReferences) }),
  }
}

const inputSchema = (): Schema => z.toJSONSchema(configFile, { target: 'draft-7', io: 'input' }) as Schema

export const renderSchema = (): string =>
  `${JSON.stringify(
    {
      $schema: 'http://json-schema.org/draft-07/schema#',
      title: 'Posthorn configuration',
      ...withReferences(inputSchema()),
      definitions: { reference },
    },
    null,
    2,
  )}\n`

const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``

const typeOf = (schema: Schema): string => {
  const options = schema.anyOf ?? schema.oneOf
  if (options) return [...new Set(options.map(typeOf))].join(', ')
  if (schema.enum) return schema.enum.map(code).join(', ')
  if (schema.const !== undefined) return code(schema.const)
  if (schema.items) return `list of: ${typeOf(schema.items)}`
  if (schema.type === 'object') return schema.properties ? 'object' : 'object by name'
  return schema.title ?? schema.type ?? ''
}

const rowsOf = (schema: Schema): string[] =>
  Object.entries(schema.properties ?? {}).map(([key, property]) => {
    const isRequired = schema.required?.includes(key) === true
    const isShown = property.default !== undefined && JSON.stringify(property.default) !== '{}'
    const fallback = isRequired ? '**required**' : isShown ? code(property.default) : ''
    return `| \`${key}\` | ${typeOf(property)} | ${fallback} | ${property.description ?? ''} |`
  })

/** The objects that a value may be, itself or as an item or one of its alternatives. */
const objectsIn = (schema: Schema): Schema[] => {
  if (schema.properties) return [schema]
  const inner = schema.anyOf ?? schema.oneOf ?? (schema.items ? [schema.items] : [])
  return inner.flatMap(objectsIn)
}

/** One table for each object; one that stands in several places is written once, under all of its names. */
const collectTables = (schema: Schema, path: string, tables: Map<string, string[]>): void => {
  const rows = rowsOf(schema).join('\n')
  const places = tables.get(rows)
  if (places) places.push(path)
  else tables.set(rows, [path])
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const below = path === '' ? key : `${path}.${key}`
    for (const object of objectsIn(property)) collectTables(object, property.items ? `${below}[]` : below, tables)
    const { additionalProperties } = property
    if (typeof additionalProperties !== 'object') continue
    for (const object of objectsIn(additionalProperties)) collectTables(object, `${below}.<name>`, tables)
  }
}

const head = '| key | value | default | meaning |\n|---|---|---|---|'

export const renderTables = (): string => {
  const tables = new Map<string, string[]>()
  collectTables(inputSchema(), '', tables)
  return [...tables]
    .map(([rows, paths]) => {
      const places = [...new Set(paths)].map((path) => (path === '' ? 'The file' : `\`${path}\``))
      return `### ${places.join(', ')}\n\n${head}\n${rows}`
    })
    .join('\n\n')
}

const begin = '<!-- generated by scripts/generate-config-schema.ts: begin -->'
const end = '<!-- generated by scripts/generate-config-schema.ts: end -->'

/** The documentation with its tables made anew. */
export const renderDocs = (docs: string): string => {
  const [before, rest] = docs.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error('docs/configuration.md has lost its marks')
  return `${before}${begin}\n\n${renderTables()}\n\n${end}${after}`
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(schemaFile, renderSchema())
  writeFileSync(docsFile, renderDocs(readFileSync(docsFile, 'utf8')))
}
