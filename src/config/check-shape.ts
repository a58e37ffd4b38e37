/**
 * Checks one section against its schema and says, for each finding, which rule was broken. Pure.
 */

import type { z } from 'zod'

import type { KeyPath } from './problems.ts'
import type { ConfigSource } from './read-yaml.ts'
import { suggest } from './suggest.ts'

type Issue = z.core.$ZodIssue

export type Report = (path: KeyPath, rule: string) => void

const keysOf = (path: readonly PropertyKey[]): KeyPath =>
  path.map((key) => (typeof key === 'number' ? key : String(key)))

const isAboutTheWhole = (issue: Issue): boolean =>
  issue.path.length === 0 && issue.code !== 'unrecognized_keys' && issue.code !== 'custom'

/** Of a union, only the branch that the value was meant for is worth reporting: the one it has the shape of. */
const flatten = (issue: Issue): Issue[] => {
  if (issue.code !== 'invalid_union') return [issue]
  const meant = issue.errors.filter((branch) => !branch.some(isAboutTheWhole))
  const [only] = meant
  if (only === undefined || meant.length > 1) return [issue]
  return only.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }))
}

const valueAt = (value: unknown, path: KeyPath): unknown => {
  let current = value
  for (const key of path) current = (current as Record<string | number, unknown> | null | undefined)?.[key]
  return current
}

/** The keys that an object at `path` may have, over all branches of unions on the way. */
const knownKeys = (schema: z.core.$ZodType, path: KeyPath): string[] => {
  const definition = (schema as z.ZodType).def as unknown as Record<string, unknown>
  const inner = definition['innerType'] ?? definition['in']
  if (inner !== undefined) return knownKeys(inner as z.ZodType, path)
  if (Array.isArray(definition['options'])) {
    return definition['options'].flatMap((option) => knownKeys(option as z.ZodType, path))
  }
  const [key, ...rest] = path
  const shape = definition['shape'] as Record<string, z.ZodType> | undefined
  if (key === undefined) return Object.keys(shape ?? {})
  const next = shape?.[key] ?? definition['element'] ?? definition['valueType']
  return next === undefined ? [] : knownKeys(next as z.ZodType, rest)
}

export const unknownKeyRule = (key: string, known: readonly string[]): string => {
  const closest = suggest(key, known)
  return closest === null ? 'unknown key' : `unknown key, did you mean ${closest}?`
}

const ruleOf = (issue: Issue, value: unknown): string => {
  if (value === undefined && issue.code !== 'invalid_key') return 'is required'
  if (value === null) return 'has no value; give it one or remove the key'
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? 'invalid name'
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    const article = /^[aeiou]/.test(issue.expected) ? 'an' : 'a'
    return issue.expected === 'array' ? 'must be a list' : `must be ${article} ${issue.expected}`
  }
  return issue.message
}

/** A whole value that came from a reference is text; where a number or a flag belongs, its text is read as such. */
const asExpected = (issue: Issue, value: unknown): unknown => {
  if (issue.code !== 'invalid_type' || typeof value !== 'string') return value
  if ((issue.expected === 'number' || issue.expected === 'int') && /^-?\d{1,15}$/.test(value)) return Number(value)
  return issue.expected === 'boolean' && /^(?:true|false)$/.test(value) ? value === 'true' : value
}

const withValue = (tree: unknown, path: KeyPath, value: unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return value
  const copy = (Array.isArray(tree) ? [...tree] : { ...(tree as object) }) as Record<string | number, unknown>
  copy[key] = withValue(copy[key], rest, value)
  return copy
}

const branchesOf = (issue: Issue): Issue[] =>
  issue.code === 'invalid_union'
    ? [issue, ...issue.errors.flat().flatMap((inner) => branchesOf({ ...inner, path: [...issue.path, ...inner.path] }))]
    : [issue]

const withReferencesTyped = (value: unknown, issues: readonly Issue[], at: KeyPath, source: ConfigSource): unknown => {
  let typed = value
  for (const issue of issues.flatMap(branchesOf)) {
    const path = keysOf(issue.path)
    if (source.isReferenced([...at, ...path])) typed = withValue(typed, path, asExpected(issue, valueAt(typed, path)))
  }
  return typed
}

/**
 * @param at Where in the file `value` stands.
 * @returns What the schema makes of it; undefined when something was reported.
 */
export const checkShape = <T extends z.ZodType>(
  schema: T,
  value: unknown,
  at: KeyPath,
  source: ConfigSource,
  report: Report,
): z.output<T> | undefined => {
  const first = schema.safeParse(value)
  if (first.success) return first.data
  const typed = withReferencesTyped(value, first.error.issues, at, source)
  const result = schema.safeParse(typed)
  if (result.success) return result.data
  const seen = new Set<string>()
  const once: Report = (path, rule) => {
    const key = JSON.stringify([path, rule])
    if (!seen.has(key)) report(path, rule)
    seen.add(key)
  }
  for (const issue of result.error.issues.flatMap(flatten)) {
    const path = keysOf(issue.path)
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, path)
      for (const key of issue.keys) once([...at, ...path, key], unknownKeyRule(key, known))
    } else once([...at, ...path], ruleOf(issue, valueAt(typed, path)))
  }
  return undefined
}
