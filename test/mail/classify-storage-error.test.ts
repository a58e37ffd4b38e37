import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import * as fc from 'fast-check'

import { errorCodes, PosthornError } from '../../src/errors.ts'
import { classifyStorageError } from '../../src/mail/classify-storage-error.ts'

const put = { name: 'put', isRead: false, bucket: 'mail', stage: 'store' } as const
const get = { name: 'get', isRead: true, bucket: 'mail', stage: 'compose' } as const

const s3Error = (name: string, status: number): Error =>
  Object.assign(new Error('secret content'), { name, $metadata: { httpStatusCode: status } })
const socketError = (code: string): Error => Object.assign(new Error('secret content'), { code })

describe('classifyStorageError', () => {
  const cases: [error: Error, operation: typeof put | typeof get, code: string, retryable: boolean][] = [
    [socketError('ECONNREFUSED'), put, 'STORAGE_UNREACHABLE', true],
    [socketError('ENOTFOUND'), put, 'STORAGE_UNREACHABLE', true],
    [socketError('ECONNRESET'), get, 'STORAGE_UNREACHABLE', true],
    [Object.assign(new Error(''), { name: 'TimeoutError' }), put, 'STORAGE_UNREACHABLE', true],
    [socketError('SELF_SIGNED_CERT_IN_CHAIN'), put, 'TLS_UNTRUSTED', true],
    [socketError('ERR_TLS_CERT_ALTNAME_INVALID'), put, 'TLS_WRONG_NAME', true],
    [s3Error('AccessDenied', 403), put, 'STORAGE_ACCESS_DENIED', false],
    [s3Error('Unheard', 403), get, 'STORAGE_ACCESS_DENIED', false],
    [s3Error('RequestTimeTooSkewed', 403), put, 'STORAGE_ACCESS_DENIED', true],
    [Object.assign(new Error(''), { name: 'CredentialsProviderError' }), put, 'STORAGE_ACCESS_DENIED', false],
    [s3Error('NoSuchKey', 404), get, 'STORAGE_OBJECT_MISSING', false],
    [s3Error('NotFound', 404), get, 'STORAGE_OBJECT_MISSING', false],
    [s3Error('NoSuchBucket', 404), get, 'STORAGE_OBJECT_MISSING', false],
    [s3Error('MethodNotAllowed', 405), get, 'STORAGE_OBJECT_MISSING', false],
    [s3Error('NoSuchBucket', 404), put, 'STORAGE_FAILED', false],
    [s3Error('NotFound', 404), put, 'STORAGE_FAILED', false],
    [s3Error('NoSuchUpload', 404), put, 'STORAGE_FAILED', true],
    [s3Error('SlowDown', 503), put, 'STORAGE_FAILED', true],
    [s3Error('Unheard', 500), put, 'STORAGE_FAILED', true],
    [s3Error('Unheard', 429), get, 'STORAGE_FAILED', true],
    [s3Error('InsufficientStorage', 507), put, 'STORAGE_FAILED', true],
    [s3Error('PermanentRedirect', 301), put, 'STORAGE_FAILED', false],
    [s3Error('InvalidRequest', 400), put, 'STORAGE_FAILED', false],
    [s3Error('SyntaxError', 200), put, 'STORAGE_FAILED', true],
    [new Error('secret content'), put, 'STORAGE_FAILED', true],
  ]
  for (const [error, operation, code, retryable] of cases) {
    const {
      name,
      code: socketCode,
      $metadata,
    } = error as { code?: string; $metadata?: { httpStatusCode: number } } & Error
    const status = $metadata?.httpStatusCode ?? ''
    it(`calls ${socketCode ?? name} ${status} in a ${operation.name} ${code}, ${retryable ? '' : 'not '}to be retried`, () => {
      const classified = classifyStorageError(error, operation)
      assert.equal(classified.code, code)
      assert.equal(classified.retryable, retryable)
      assert.equal(classified.stage, operation.stage)
      assert.doesNotMatch(classified.message, /secret content/)
    })
  }

  it('leaves an error that is classified already as it is', () => {
    const error = new PosthornError('IMAP_CONNECTION_LOST', 'x', { stage: 'fetch' })
    assert.equal(classifyStorageError(error, put), error)
  })

  it('is total', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (thrown) => {
        const { code, message } = classifyStorageError(thrown, put)
        assert.ok(errorCodes.includes(code))
        assert.match(message, /^storage: put in bucket mail failed \([\w., ]+\)$/)
      }),
    )
  })
})
