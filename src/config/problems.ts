/**
 * What is wrong with a configuration: every finding at once, each with the key's path, its value and the rule. Pure.
 */

import { PosthornError } from '../errors.ts'

export type KeyPath = readonly (string | number)[]

export interface Problem {
  readonly path: KeyPath
  /** As shown: masked, shortened; null where there is nothing to show. */
  readonly value: string | null
  readonly rule: string
  /** From 1; null where it is not known. */
  readonly line: number | null
}

/** Keys whose value is never shown, also where a value of the wrong type stands. */
const secretKeys = new Set([
  'auth',
  'authorizationParameters',
  'clientSecret',
  'encryptionKey',
  'oauth2',
  'password',
  'previousKeys',
  'sasl',
  'secretAccessKey',
  'sessionToken',
  'token',
  'tokenParameters',
])

const longestValue = 80

const printable = (text: string): string => {
  const cut = text.length > longestValue ? `${text.slice(0, longestValue)}…` : text
  return JSON.stringify(cut).replaceAll(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A value for a message. Lists and objects are named by their kind alone: they could hold secrets. */
export const showValue = (path: KeyPath, value: unknown): string | null => {
  if (value === undefined) return null
  if (value === null) return 'no value'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const isSecret = path.some((key, index) => {
    const isLeafOfSafeParent = index < path.length - 1 && (key === 'auth' || key === 'oauth2' || key === 'sasl')
    return typeof key === 'string' && secretKeys.has(key) && !isLeafOfSafeParent
  })
  if (isSecret) return '[secret]'
  return typeof value === 'string' ? printable(value) : JSON.stringify(value)
}

/** `accounts.support.receive[0].folder`; names that are no plain words are quoted. */
export const showPath = (path: KeyPath): string =>
  path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`
      if (!/^[\p{L}\p{N}_-]{1,80}$/u.test(key)) return `[${printable(key)}]`
      return index === 0 ? key : `.${key}`
    })
    .join('')

const showProblem = ({ path, value, rule, line }: Problem): string => {
  const place = [showPath(path), line === null ? '' : `(line ${line})`].filter((part) => part !== '').join(' ')
  return [place, value, rule].filter((part) => part !== null && part !== '').join(': ')
}

/** @returns One `CONFIG_INVALID` that lists them all, one a line. */
export const configInvalid = (fileName: string, problems: readonly Problem[]): PosthornError => {
  const lines = problems.toSorted((left, right) => (left.line ?? 0) - (right.line ?? 0)).map(showProblem)
  const head = problems.length === 1 ? fileName : `${fileName}: ${problems.length} problems`
  return new PosthornError(
    'CONFIG_INVALID',
    lines.length === 1 ? `${head}: ${lines[0]}` : [head, ...lines].join('\n  '),
    {
      stage: 'configure',
      action: 'Correct the keys named here; docs/configuration.md lists every key.',
    },
  )
}
