import assert from 'node:assert/strict'
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { test } from 'node:test'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { createPutSigner, escapeForUri } from '../../src/mail/sign-put.ts'

type Source = string | ArrayBuffer | ArrayBufferView

const toBytes = (source: Source): Buffer | string =>
  typeof source === 'string'
    ? source
    : ArrayBuffer.isView(source)
      ? Buffer.from(source.buffer, source.byteOffset, source.byteLength)
      : Buffer.from(source)

/** The hash as the SDK asks for it. */
class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: Source) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', toBytes(secret))
  }

  update(part: Source): void {
    this.#hash.update(toBytes(part))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
}

const value = fc.string({ unit: fc.constantFrom(...'aZ09-_./ =&+%"\u00e4;'.split('')), minLength: 1, maxLength: 20 })

test('a PUT gets the signature that the SDK gives it', async () => {
  const sign = createPutSigner('eu-central-1')
  const made = fc.record({
    segments: fc.array(value, { minLength: 1, maxLength: 5 }),
    query: fc.dictionary(value, value, { maxKeys: 3 }),
    headers: fc.dictionary(fc.constantFrom('content-type', 'content-disposition', 'x-amz-meta-sha256'), value),
    sessionToken: fc.option(fc.constant('token/+='), { nil: undefined }),
    secretAccessKey: fc.constantFrom('one', 'another'),
    now: fc.date({ min: new Date('2026-01-01'), max: new Date('2026-01-04'), noInvalidDate: true }),
  })
  await fc.assert(
    fc.asyncProperty(made, async ({ segments, query, headers, sessionToken, secretAccessKey, now }) => {
      const path = `/${segments.map(escapeForUri).join('/')}`
      const sha256 = createHash('sha256').update(path).digest('hex')
      const all = { ...headers, host: 's3.example:9000', 'content-length': '12' }
      const credentials = { accessKeyId: 'id', secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) }
      const reference = await new SignatureV4({
        service: 's3',
        region: 'eu-central-1',
        credentials,
        sha256: Sha256,
        uriEscapePath: false,
        applyChecksum: false,
      }).sign(
        {
          method: 'PUT',
          protocol: 'http:',
          hostname: 's3.example',
          path,
          query: { ...query },
          headers: { ...all, 'x-amz-content-sha256': sha256 },
        },
        { signingDate: now },
      )
      assert.deepEqual(sign({ path, query, headers: all, sha256 }, credentials, now), reference.headers)
    }),
    { numRuns: 200 },
  )
})
