/**
 * Anything that an S3 client throws → one of the closed codes. Pure and total.
 *
 * It reads error names, HTTP statuses and socket codes, never a message's text. `retryable` says whether the same
 * attempt may succeed without anyone doing anything. A store that can't be reached or refuses us says nothing about
 * the message that was to be stored: only `STORAGE_OBJECT_MISSING` and `STORAGE_BUCKET_NOT_ALLOWED` blame the object.
 */

import { isPosthornError, PosthornError, type ErrorCode, type Stage } from '../errors.ts'
import { networkFailureOf, sayNetworkFailure } from '../network-failure.ts'

export interface StorageOperation {
  /** As the message says it: `put`, `get`. */
  readonly name: string
  /** Whether it reads an object that somebody named, rather than writes one of ours. */
  readonly isRead: boolean
  readonly bucket: string
  readonly stage: Stage
}

interface Verdict {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly action?: string
}

const unreachable: Verdict = {
  code: 'STORAGE_UNREACHABLE',
  retryable: true,
  action: 'Check that the service at storage.endpoint runs and can be reached from here.',
}
const denied: Verdict = {
  code: 'STORAGE_ACCESS_DENIED',
  retryable: false,
  action: 'Check storage.accessKeyId and storage.secretAccessKey, and what they may do in the bucket.',
}
const skewed: Verdict = { code: 'STORAGE_ACCESS_DENIED', retryable: true, action: 'Set the clock of this machine.' }
const missing: Verdict = { code: 'STORAGE_OBJECT_MISSING', retryable: false }
const noBucket: Verdict = {
  code: 'STORAGE_FAILED',
  retryable: false,
  action: 'Create the bucket, or correct storage.bucket.',
}
const wrongRegion: Verdict = {
  code: 'STORAGE_FAILED',
  retryable: false,
  action: 'Check storage.region, storage.endpoint and storage.pathStyle.',
}
const full: Verdict = { code: 'STORAGE_FAILED', retryable: true, action: 'Make room in the object store.' }
const busy: Verdict = { code: 'STORAGE_FAILED', retryable: true }
const refused: Verdict = { code: 'STORAGE_FAILED', retryable: false }

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and names of other servers. */
const byName = new Map<string, Verdict>([
  ['AccessDenied', denied],
  ['AllAccessDisabled', denied],
  ['CredentialsProviderError', denied],
  ['ExpiredToken', denied],
  ['InvalidAccessKeyId', denied],
  ['InvalidToken', denied],
  ['SignatureDoesNotMatch', denied],
  ['RequestTimeTooSkewed', skewed],
  ['AuthorizationHeaderMalformed', wrongRegion],
  ['PermanentRedirect', wrongRegion],
  ['TemporaryRedirect', busy],
  ['NoSuchKey', missing],
  ['NoSuchVersion', missing],
  ['NoSuchUpload', busy],
  ['OperationAborted', busy],
  ['RequestTimeout', busy],
  ['SlowDown', busy],
  ['InternalError', busy],
  ['ServiceUnavailable', busy],
  ['Throttling', busy],
  ['ThrottlingException', busy],
  ['InvalidObjectState', { ...refused, action: 'The object is archived: restore it first.' }],
  ['QuotaExceeded', full],
  ['XMinioStorageFull', full],
  ['XMinioAdminBucketQuotaExceeded', full],
  ['TimeoutError', unreachable],
  ['AbortError', busy],
])

/** Node's own and the HTTP client's, for a connection that went. */
const lostCodes = new Set(['EHOSTDOWN', 'ENETDOWN', 'ENETRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'UND_ERR_SOCKET'])

const byStatus = (status: number, isRead: boolean): Verdict => {
  if (status === 401 || status === 403) return denied
  if (isRead && (status === 404 || status === 405 || status === 410)) return missing
  if (status === 404) return noBucket
  if (status === 301 || status === 307 || status === 308) return wrongRegion
  if (status === 507) return full
  if (status === 408 || status === 409 || status === 429 || status >= 500) return busy
  // An answer of success that could not be read was cut off or no S3 answer.
  return status < 300 ? busy : refused
}

const textOf = (error: object, key: string): string => {
  const value: unknown = Reflect.get(error, key)
  return typeof value === 'string' ? value : ''
}

const statusOf = (error: object): number | null => {
  const metadata: unknown = Reflect.get(error, '$metadata')
  if (typeof metadata !== 'object' || metadata === null) return null
  const status: unknown = Reflect.get(metadata, 'httpStatusCode')
  return typeof status === 'number' ? status : null
}

const judge = (error: object, isRead: boolean): Verdict => {
  const names = [textOf(error, 'name'), textOf(error, 'Code'), textOf(error, 'code')]
  if (names.includes('NoSuchBucket')) return isRead ? missing : noBucket
  for (const name of names) {
    const verdict = byName.get(name)
    if (verdict !== undefined) return verdict
    if (lostCodes.has(name)) return unreachable
  }
  const status = statusOf(error)
  return status === null ? busy : byStatus(status, isRead)
}

/** A word such as `NoSuchKey` or `ECONNREFUSED`; nothing that could hold content. */
const reasonOf = (error: object): string => {
  const words = [textOf(error, 'Code'), textOf(error, 'code'), textOf(error, 'name')]
  const word = words.find((candidate) => /^[A-Za-z0-9_.]{1,64}$/.test(candidate) && candidate !== 'Error') ?? 'unknown'
  const status = statusOf(error)
  return status === null ? word : `${word}, HTTP ${status}`
}

export const classifyStorageError = (error: unknown, operation: StorageOperation): PosthornError => {
  if (isPosthornError(error)) return error
  const thrown = typeof error === 'object' && error !== null ? error : {}
  const where = `storage: ${operation.name} in bucket ${operation.bucket}`
  const network = networkFailureOf(error)
  if (network !== null) {
    return new PosthornError(network.tls ?? 'STORAGE_UNREACHABLE', sayNetworkFailure(network, `${where} failed`), {
      stage: operation.stage,
      retryable: true,
      action: network.tls === null ? `${network.action} See storage.endpoint.` : network.action,
      cause: error,
    })
  }
  const { code, retryable, action } = judge(thrown, operation.isRead)
  return new PosthornError(code, `${where} failed (${reasonOf(thrown)})`, {
    stage: operation.stage,
    retryable,
    cause: error,
    ...(action !== undefined && { action }),
  })
}
