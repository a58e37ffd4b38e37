import { toPosthornError, type ErrorCode, type PosthornError } from '../errors.ts'
import { toSafeText } from './printable.ts'

/** The user's to mend, before anything was tried. */
const usageCodes: ReadonlySet<ErrorCode> = new Set([
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'USAGE_INVALID',
  'ENVIRONMENT_UNSUITABLE',
])

/** 1: it was tried and failed; 2: wrong usage or configuration. */
export const exitCodeOf = ({ code }: PosthornError): 1 | 2 => (usageCodes.has(code) ? 2 : 1)

const stacksOf = (error: unknown): string => {
  const stacks: string[] = []
  for (let next = error; next instanceof Error && stacks.length < 10; next = next.cause) stacks.push(next.stack ?? '')
  return stacks.join('\ncaused by ')
}

const actionOf = ({ action, code }: PosthornError): string | null =>
  action ??
  (code === 'INTERNAL' ? 'This is a defect of Posthorn: run it again with --debug and report what it says.' : null)

/** What failed, and what to do; with `debug` also where in the code. */
export const formatError = (thrown: unknown, debug = false): string => {
  const error = toPosthornError(thrown, 'start')
  const lines = [`posthorn: ${error.message} (${error.code})`]
  const action = actionOf(error)
  if (action !== null) lines.push(`  → ${action}`)
  if (debug) lines.push(stacksOf(error))
  return `${toSafeText(lines.join('\n'))}\n`
}
