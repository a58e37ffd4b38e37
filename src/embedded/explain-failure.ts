import { isPosthornError, PosthornError } from '../errors.ts'

const reasons: Readonly<Record<string, readonly [string, string]>> = {
  ENOSPC: ['the disk is full', 'Free some space (about 300 MB), or set POSTHORN_CACHE_DIR and TMPDIR to another disk.'],
  EACCES: ['permission was denied', 'Set POSTHORN_CACHE_DIR to a folder that you may write to.'],
  EROFS: ['the disk is read-only', 'Set POSTHORN_CACHE_DIR to a folder that you may write to.'],
  EADDRINUSE: ['the port is taken', 'End what listens there, or choose another port.'],
}
const noNetwork = [
  'the network did not answer',
  'Check the connection or proxy, then start again: what is there is kept.',
] as const

/** A failure of the environment in one sentence, with what to do. */
export const explainFailure = (error: unknown, what: string): PosthornError => {
  if (isPosthornError(error)) return error
  const code = (error as { code?: unknown } | null)?.code
  const known = typeof code === 'string' ? reasons[code] : undefined
  const [reason, action] = known ?? noNetwork
  const detail = typeof code === 'string' ? ` (${code})` : ''
  return new PosthornError('ENVIRONMENT_UNSUITABLE', `${what} failed: ${reason}${detail}`, {
    stage: 'start',
    action,
    cause: error,
  })
}
