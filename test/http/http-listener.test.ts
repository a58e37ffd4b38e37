import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, connect, type AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { Secret } from '../../src/config/secret.ts'
import { isPosthornError } from '../../src/errors.ts'
import { listenHttp } from '../../src/http/http-listener.ts'

const pages = { awaited: () => [], metrics: () => 'grüße 1\n' }

describe('listenHttp', () => {
  it('serves its pages on the port that it got, without a body for HEAD', async (t) => {
    const listener = await listenHttp({ host: '127.0.0.1', port: 0, token: new Secret('t') }, pages)
    t.after(() => listener.close())
    const refused = await fetch(`${listener.url}/metrics`)
    assert.deepEqual([refused.status, refused.headers.get('cache-control')], [401, 'no-store'])
    const answer = await fetch(`${listener.url}/metrics`, { headers: { authorization: 'Bearer t' } })
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(await answer.text(), 'grüße 1\n')
    const head = await fetch(`${listener.url}/readyz`, { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [200, ''])
  })

  it('says in one sentence that a port is taken', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.after(() => taken.close())
    const { port } = taken.address() as AddressInfo
    const config = { host: '127.0.0.1', port, token: null }
    const error: unknown = await listenHttp(config, pages).catch((reason: unknown) => reason)
    assert.ok(isPosthornError(error))
    assert.equal(error.code, 'ENVIRONMENT_UNSUITABLE')
    assert.equal(error.message, `http: can't listen on 127.0.0.1:${port}: the port is taken`)
  })

  it('closes although clients keep their connections open', async () => {
    const listener = await listenHttp({ host: '127.0.0.1', port: 0, token: null }, pages)
    const client = connect(Number(new URL(listener.url).port), '127.0.0.1')
    await once(client, 'connect')
    const closed = once(client, 'close')
    await listener.close()
    await closed
  })
})
