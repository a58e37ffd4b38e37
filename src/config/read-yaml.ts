/**
 * YAML text → plain data with every reference filled in, and what messages need to point at it. Pure.
 */

import { isMap, isNode, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml'
import type { KeyPath, Problem } from './problems.ts'
import { hideReferences, showReferences, splitReferences, type Piece } from './references.ts'

export interface SourceContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Text of a file, its path relative to the configuration. Throws where it can't be read. */
  readonly readFile: (path: string) => string
}

export interface ConfigSource {
  /** Plain data; strings with their references filled in. */
  readonly value: unknown
  /** The value at a path as it was written, references unresolved: what a message may show. */
  readonly written: (path: KeyPath) => unknown
  /** Whether the string at a path came, at least in part, from a reference. */
  readonly isReferenced: (path: KeyPath) => boolean
  readonly lineOf: (path: KeyPath) => number | null
  readonly problems: readonly Problem[]
}

/** The file's own text may hold a secret, so these messages of the parser, which quote it, are replaced. */
const quotingErrors: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'a value that begins with * is a YAML alias; put it in quotes',
  BAD_DQ_ESCAPE: 'invalid escape sequence in a double-quoted value; use single quotes for a literal backslash',
  TAG_RESOLVE_FAILED: 'a value that begins with ! is a YAML tag; put it in quotes',
}

/** One for each place: what follows at the same one is the parser losing its way. */
const syntaxProblems = (document: Document, lines: LineCounter): Problem[] => {
  const errors = [...document.errors, ...document.warnings]
  const first = errors.filter(({ pos }, index) => errors.findIndex((other) => other.pos[0] === pos[0]) === index)
  return first.map((error) => {
    const { line, col } = lines.linePos(error.pos[0])
    const rule = quotingErrors[error.code] ?? error.message
    return { path: [], value: null, rule: `not valid YAML at line ${line}, column ${col}: ${rule}`, line: null }
  })
}

const at = (value: unknown, path: KeyPath): unknown => {
  let current = value
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined
    current = (current as Record<string | number, unknown>)[key]
  }
  return current
}

/** The system's error code, such as ENOENT, or the message. */
export const readFailure = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

const resolvePiece = (piece: Piece, context: SourceContext, fail: (rule: string) => void): string => {
  switch (piece.kind) {
    case 'text':
      return piece.text
    case 'variable': {
      const found = context.env[piece.name]
      if (found === undefined) fail(`environment variable ${piece.name} is not set`)
      return found ?? ''
    }
    case 'file':
      try {
        return context.readFile(piece.path).replace(/\r?\n$/, '')
      } catch (error) {
        fail(`file ${JSON.stringify(piece.path)} can't be read (${readFailure(error)})`)
        return ''
      }
    case 'malformed':
      fail('a reference is ${NAME} or ${file:PATH} on one line; write $${ for a literal ${')
      return ''
    default:
      return piece satisfies never
  }
}

const failed = (problems: readonly Problem[]): ConfigSource => ({
  value: undefined,
  written: () => undefined,
  isReferenced: () => false,
  lineOf: () => null,
  problems,
})

const failedWith = (rule: string): ConfigSource => failed([{ path: [], value: null, rule, line: null }])

const hasReservedKey = (document: Document): boolean => {
  let found = false
  visit(document, {
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '__proto__') found = true
    },
  })
  return found
}

export const readYaml = (text: string, context: SourceContext): ConfigSource => {
  const hidden = hideReferences(text.replace(/^\ufeff/, ''))
  if (hidden === null) return failedWith('the file holds too many different private-use characters')
  const lines = new LineCounter()
  const document = parseDocument(hidden.text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const syntax = syntaxProblems(document, lines)
  if (syntax.length > 0) return failed(syntax)
  if (!isMap(document.contents)) return failedWith('the file must be a YAML mapping with the keys kafka and accounts')
  if (hasReservedKey(document)) return failedWith('__proto__ is no key')

  let raw: unknown
  try {
    raw = document.toJS({ maxAliasCount: 100 })
  } catch {
    return failedWith(`not valid YAML: ${quotingErrors['BAD_ALIAS']}, or define its anchor before it`)
  }

  const problems: Problem[] = []
  const referenced = new Set<string>()
  const lineOf = (path: KeyPath): number | null => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return null
  }

  const report = (path: KeyPath, rule: string): void => {
    problems.push({ path, value: null, rule, line: lineOf(path) })
  }

  const resolve = (value: unknown, path: KeyPath): unknown => {
    if (Array.isArray(value)) return value.map((item, index) => resolve(item, [...path, index]))
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => {
          const shown = showReferences(key, hidden.base)
          if (shown !== key) report([...path, shown], 'references are for values, not for keys')
          return [key, resolve(item, [...path, key])]
        }),
      )
    }
    if (typeof value !== 'string') return value
    const pieces = splitReferences(value, hidden.base)
    if (pieces.some((piece) => piece.kind === 'variable' || piece.kind === 'file')) referenced.add(JSON.stringify(path))
    return pieces.map((piece) => resolvePiece(piece, context, (rule) => report(path, rule))).join('')
  }

  return {
    value: resolve(raw, []),
    written: (path) => {
      const value = at(raw, path)
      return typeof value === 'string' ? showReferences(value, hidden.base) : value
    },
    isReferenced: (path) => referenced.has(JSON.stringify(path)),
    lineOf,
    problems,
  }
}
