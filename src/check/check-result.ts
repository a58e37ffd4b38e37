/** What `posthorn check` finds out. */
import type { ErrorCode } from '../errors.ts'

export type Component = 'config' | 'kafka' | 'registry' | 'storage' | 'smtp' | 'imap'

export interface CheckResult {
  component: Component
  /** The account; null for what all share. */
  account: string | null
  /** What was tried, such as `tls` or `login`. */
  step: string
  ok: boolean
  /** Null when all is well. */
  code: ErrorCode | null
  /** What was found, or what failed. */
  message: string
  /** What to do; also where all is well, and will not stay so. */
  action: string | null
  /** Duration in whole milliseconds. */
  ms: number
}

/** What was found, and what should be done about it although it works. */
export interface Finding {
  message: string
  action: string | null
}

/** Takes one step: its result is reported; when it fails, the check ends there. */
export type TakeStep = <T>(
  step: string,
  work: (signal: AbortSignal) => Promise<T>,
  describe: (found: T) => string | Finding,
) => Promise<T>

/** A sequence of steps that is independent of every other check. */
export interface Check {
  component: Component
  account: string | null
  run(takeStep: TakeStep): Promise<void>
}
