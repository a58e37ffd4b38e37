import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'
import { createCertificates } from '../support/certificates.ts'
import { storageConfig } from '../support/fake-s3.ts'

type Handler = (request: IncomingMessage, body: Buffer, response: ServerResponse) => void

const listen = async (t: TestContext, server: ReturnType<typeof createServer>): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

const answering = (handle: Handler) => (request: IncomingMessage, response: ServerResponse) => {
  void buffer(request).then((body) => handle(request, body, response))
}

const content = Buffer.from('content')
const object = {
  key: "a b/ü/0-it's (1).pdf",
  content,
  sha256: createHash('sha256').update(content).digest('hex'),
  contentType: 'application/pdf',
  fileName: 'a.pdf',
}
const hourMs = 3_600_000

/** The instant that a request was signed for, `20260803T100000Z`. */
const signedAt = ({ headers }: IncomingMessage): number =>
  Date.parse(String(headers['x-amz-date']).replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'))

test('a clock that is wrong is corrected by the server’s, once it has complained', async (t) => {
  const dates: number[] = []
  const server = createServer(
    answering((request, _, response) => {
      dates.push(signedAt(request))
      const isSkewed = Math.abs(signedAt(request) - Date.now()) > hourMs / 4
      response.writeHead(isSkewed ? 403 : 200)
      response.end(isSkewed ? '<Error><Code>RequestTimeTooSkewed</Code></Error>' : '')
    }),
  )
  const endpoint = `http://127.0.0.1:${await listen(t, server)}`
  const store = createS3AttachmentStore(storageConfig(endpoint), { now: () => Date.now() - 2 * hourMs })
  t.after(() => store.close())
  await store.put(object)
  await store.put(object)
  assert.equal(dates.length, 3, 'the second object is right at once')
})

test('an object goes below the path of the endpoint, over TLS that is verified, with its version told', async (t) => {
  const { ca, server: keys } = createCertificates()
  const seen: { path: string | undefined; body: string }[] = []
  const server = createTlsServer(
    keys,
    answering((request, body, response) => {
      seen.push({ path: request.url, body: body.toString() })
      response.writeHead(200, { 'x-amz-version-id': 'v1' }).end()
    }),
  )
  const endpoint = `https://127.0.0.1:${await listen(t, server)}/base/`
  const tls = storageConfig(endpoint).tls
  const trusting = createS3AttachmentStore(storageConfig(endpoint, { tls: { ...tls, ca } }))
  const strange = createS3AttachmentStore(storageConfig(endpoint), { attempts: 1 })
  t.after(() => {
    trusting.close()
    strange.close()
  })
  assert.equal((await trusting.put(object)).versionId, 'v1')
  assert.deepEqual(seen, [{ path: '/base/mail/a%20b/%C3%BC/0-it%27s%20%281%29.pdf', body: 'content' }])
  await assert.rejects(strange.put(object), { code: 'TLS_UNTRUSTED', retryable: true })
})
