/** Runs checks side by side. Each ends in time, whatever the server does, and one that fails leaves the others alone. */
import { PosthornError, toPosthornError, type ErrorCode } from '../errors.ts'
import type { Check, CheckResult, Component, TakeStep } from './check-result.ts'

export interface RunOptions {
  /** Longest time for all steps of one check, in milliseconds. */
  timeoutMs: number
  /** Most checks at once. */
  concurrency: number
  /** Ends every check. */
  signal: AbortSignal
  /** Milliseconds of any clock that does not jump. */
  now: () => number
}

const timeoutCode: Readonly<Record<Component, ErrorCode>> = {
  config: 'INTERNAL',
  kafka: 'KAFKA_UNREACHABLE',
  registry: 'REGISTRY_UNREACHABLE',
  storage: 'STORAGE_UNREACHABLE',
  smtp: 'SMTP_TIMEOUT',
  imap: 'IMAP_TIMEOUT',
}

/** Rejects when the signal aborts, even where the work does not heed it. */
const untilAborted = <T>(work: Promise<T>, signal: AbortSignal, reason: () => PosthornError): Promise<T> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => reject(reason())
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })

class StepFailed extends Error {}

const runCheck = async (check: Check, options: RunOptions): Promise<CheckResult[]> => {
  const { component, account } = check
  const { timeoutMs, now, signal: stopSignal } = options
  const results: CheckResult[] = []
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), timeoutMs)
  const signal = AbortSignal.any([deadline.signal, stopSignal])
  const outOfTime = (): PosthornError =>
    stopSignal.aborted
      ? new PosthornError('STOPPED', 'the check was interrupted', { stage: 'start' })
      : new PosthornError(timeoutCode[component], `no answer within ${timeoutMs / 1_000} s`, {
          stage: 'start',
          action: 'Look whether the server is overloaded, or a firewall drops the packets.',
        })
  const takeStep: TakeStep = async (step, work, describe) => {
    const began = now()
    try {
      const found = await untilAborted(work(signal), signal, outOfTime)
      const ms = Math.round(now() - began)
      const described = describe(found)
      const finding = typeof described === 'string' ? { message: described, action: null } : described
      results.push({ component, account, step, ok: true, code: null, ...finding, ms })
      return found
    } catch (thrown) {
      const { code, message, action } = toPosthornError(thrown, 'start')
      const ms = Math.round(now() - began)
      results.push({ component, account, step, ok: false, code, message, action, ms })
      throw new StepFailed()
    }
  }
  try {
    await check.run(takeStep)
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
  } finally {
    clearTimeout(timer)
  }
  return results
}

/** @returns the results in the order of the checks */
export const runChecks = async (checks: readonly Check[], options: RunOptions): Promise<CheckResult[]> => {
  const results: CheckResult[][] = []
  const queue = checks.entries()
  const work = async (): Promise<void> => {
    for (const [index, check] of queue) results[index] = await runCheck(check, options)
  }
  await Promise.all(Array.from({ length: Math.min(options.concurrency, checks.length) }, work))
  return results.flat()
}
