import { performance } from 'node:perf_hooks'
import type { Check, CheckResult } from '../check/check-result.ts'
import { planChecks } from '../check/plan-checks.ts'
import { runChecks } from '../check/run-checks.ts'
import type { AccountConfig, Config } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { Register } from './context.ts'
import { collect } from './parse-options.ts'
import { toSafeText, toTable } from './printable.ts'
import { exitCodeOf } from './report-error.ts'
import { jsonOption } from './shared-options.ts'

interface CheckOptions {
  account?: string[]
  json?: boolean
}

const timeoutMs = 30_000
const concurrency = 32

const selectAccounts = ({ accounts }: Config, names: readonly string[] | undefined): AccountConfig[] => {
  if (names === undefined) return Object.values(accounts)
  return names.map((name) => {
    const account = accounts[name]
    if (account !== undefined) return account
    throw new PosthornError('USAGE_INVALID', `--account ${name}: the configuration has no such account`, {
      stage: 'configure',
      action: `Name one of: ${Object.keys(accounts).join(', ')}.`,
    })
  })
}

/** A table with a line below each failure that says what to do. */
export const showResults = (results: readonly CheckResult[]): string => {
  const rows = results.map(({ component, account, step, ok, code, message, ms }) => [
    ok ? 'ok' : 'FAILED',
    component,
    account ?? '',
    step,
    `${ms} ms`,
    code === null ? message : `${message} (${code})`,
  ])
  const lines = toTable(rows).split('\n')
  const withActions = results.flatMap(({ action }, index) => [
    lines[index] ?? '',
    ...(action === null ? [] : [`  → ${action}`]),
  ])
  return `${toSafeText(withActions.join('\n'))}\n`
}

const configFailure = (thrown: unknown): CheckResult => {
  const { code, message, action } = toPosthornError(thrown, 'configure')
  return { component: 'config', account: null, step: 'read', ok: false, code, message, action, ms: 0 }
}

export const registerCheck: Register = (program, context) => {
  const print = (results: readonly CheckResult[], json: boolean | undefined): Promise<void> => {
    if (json !== true) return context.print(showResults(results))
    return context.printJson({ ok: results.every(({ ok }) => ok), checks: results })
  }
  const planFrom = (names: readonly string[] | undefined): Check[] => {
    const config = context.config()
    return planChecks(config, selectAccounts(config, names), context.checkPorts())
  }
  const check = async ({ account, json }: CheckOptions): Promise<void> => {
    let checks: Check[]
    try {
      checks = planFrom(account)
    } catch (error) {
      if (json !== true) throw error
      context.exitCode = exitCodeOf(toPosthornError(error, 'configure'))
      return print([configFailure(error)], json)
    }
    context.progress(`checking; at most ${timeoutMs / 1_000} s`)
    const { signal } = context.io
    const results = await runChecks(checks, { timeoutMs, concurrency, signal, now: () => performance.now() })
    if (results.some(({ ok }) => !ok)) context.exitCode = 1
    return print(results, json)
  }

  program
    .command('check')
    .description('test every connection of the configuration and say what is wrong')
    .option('--account <name>', 'the servers of this account only; may be repeated', collect)
    .addOption(jsonOption())
    .action(check)
}
