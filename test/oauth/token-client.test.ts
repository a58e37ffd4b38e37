import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'

import type { OAuth2Config } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { DaemonTokens } from '../../src/oauth/daemon-tokens.ts'
import { TokenClient } from '../../src/oauth/token-client.ts'
import { plainTls } from '../support/smtp-mail.ts'

interface Asked {
  headers: IncomingMessage['headers']
  body: URLSearchParams
}

/** A token endpoint that gives the next of the answers to each request. */
const startEndpoint = async (t: TestContext, answers: readonly { status?: number; body: unknown }[]) => {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)]
      asked.push({ headers: request.headers, body: new URLSearchParams(body) })
      response.writeHead(answer?.status ?? 200, { 'content-type': 'application/json' })
      response.end(typeof answer?.body === 'string' ? answer.body : JSON.stringify(answer?.body))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token` }
}

const configure = (tokenUrl: string, more: Partial<OAuth2Config> = {}): OAuth2Config => ({
  owner: 'smtp',
  provider: 'custom',
  grant: 'client_credentials',
  clientId: 'id',
  clientSecret: new Secret('client-secret-1'),
  clientAuthentication: 'client_secret_post',
  scopes: ['mail'],
  authorizationUrl: 'https://login.example.com/auth?tenant=a',
  tokenUrl,
  authorizationParameters: { prompt: 'consent' },
  tokenParameters: { resource: new Secret('urn:mail') },
  redirectUri: null,
  jwt: null,
  mechanism: null,
  tls: plainTls,
  ...more,
})

const options = { loginCommand: 'posthorn oauth login main', now: () => 1_000_000 }
const good = { body: { access_token: 'at', token_type: 'Bearer', expires_in: 60, id_token: 'not.a.jwt' } }

describe('token requests', () => {
  it('carry the client, the scopes and what else is configured, and say when the token ends', async (t) => {
    const { asked, url } = await startEndpoint(t, [good])
    const tokens = await new TokenClient(configure(url), options).issue()
    assert.deepEqual(tokens, { accessToken: 'at', expiresAt: 1_060_000, refreshToken: null })
    assert.deepEqual(Object.fromEntries(asked[0]?.body ?? []), {
      grant_type: 'client_credentials',
      scope: 'mail',
      resource: 'urn:mail',
      client_id: 'id',
      client_secret: 'client-secret-1',
    })
    await new TokenClient(configure(url, { clientAuthentication: 'client_secret_basic' }), options).issue()
    // RFC 6749 2.3.1: both are form-encoded first.
    const [, basic = ''] = /^Basic (.*)$/.exec(asked[1]?.headers.authorization ?? '') ?? []
    assert.equal(decodeURIComponent(Buffer.from(basic, 'base64').toString('utf8')), 'id:client-secret-1')
    assert.equal(asked[1]?.body.has('client_secret'), false)
  })

  it('carry an assertion that the provider can verify', async (t) => {
    const { asked, url } = await startEndpoint(t, [good])
    for (const [algorithm, pair] of [
      ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
      ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ] as const) {
      const privateKey = new Secret(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
      const jwt = { issuer: 'svc', subject: 'ann@example.com', audience: url, privateKey, keyId: 'k1', algorithm }
      const config = configure(url, { grant: 'jwt_bearer', jwt, clientSecret: null, clientAuthentication: 'none' })
      await new TokenClient(config, options).issue()
      const body = asked.at(-1)?.body
      assert.equal(body?.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer')
      const [head = '', claims = '', signature = ''] = body?.get('assertion')?.split('.') ?? []
      const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
      assert.deepEqual(decode(head), { alg: algorithm, typ: 'JWT', kid: 'k1' })
      const { jti, ...rest } = decode(claims) as Record<string, unknown>
      assert.ok(jti)
      assert.deepEqual(rest, { iss: 'svc', sub: jwt.subject, aud: url, scope: 'mail', iat: 1_000, exp: 1_600 })
      const key = { key: pair.publicKey, dsaEncoding: 'ieee-p1363' } as const
      assert.ok(verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url')))
    }
  })

  it('fail with a code that says who must do something, and without what was secret', async (t) => {
    const cases: [{ status?: number; body: unknown }, string][] = [
      [
        { status: 400, body: { error: 'invalid_grant', error_description: 'refresh-1 was revoked' } },
        'OAUTH_LOGIN_REQUIRED',
      ],
      [{ status: 400, body: { error: 'interaction_required' } }, 'OAUTH_LOGIN_REQUIRED'],
      [{ status: 401, body: { error: 'invalid_client', error_description: 'client-secret-1?' } }, 'OAUTH_REFUSED'],
      [{ status: 400, body: { error: 'invalid_scope' } }, 'OAUTH_REFUSED'],
      [{ status: 503, body: { error: 'temporarily_unavailable' } }, 'OAUTH_UNREACHABLE'],
      [{ status: 502, body: '<html>bad gateway' }, 'OAUTH_UNREACHABLE'],
      [{ status: 404, body: '<html>not here' }, 'OAUTH_REFUSED'],
      [{ body: '<html>login page' }, 'OAUTH_REFUSED'],
      [{ body: { token_type: 'Bearer', refresh_token: 'new-refresh-1' } }, 'OAUTH_REFUSED'],
    ]
    for (const [answer, code] of cases) {
      const { url } = await startEndpoint(t, [answer])
      await assert.rejects(new TokenClient(configure(url), options).refresh('refresh-1'), (error: Error) => {
        assert.equal((error as { code?: string }).code, code, JSON.stringify(answer))
        assert.doesNotMatch(`${error.stack}${JSON.stringify(error.cause)}`, /refresh-1|client-secret-1/)
        return true
      })
    }
    const nobody = new TokenClient(configure('http://127.0.0.1:1/token'), options)
    await assert.rejects(nobody.issue(), { code: 'OAUTH_UNREACHABLE', message: /nothing listens there/ })
  })

  it('send a person to the provider with PKCE, a state and the parameters that are configured', async () => {
    const client = new TokenClient(configure('https://login.example.com/token'), options)
    const request = await client.beginLogin('http://127.0.0.1:1/callback', 'ann@example.com')
    const { searchParams } = new URL(request.url)
    assert.equal(searchParams.get('code_challenge_method'), 'S256')
    assert.equal(searchParams.get('state'), request.state)
    assert.equal(searchParams.get('tenant'), 'a')
    assert.equal(searchParams.get('prompt'), 'consent')
    assert.equal(searchParams.get('login_hint'), 'ann@example.com')
    const foreign = new URLSearchParams({ code: 'c', state: 'another' })
    await assert.rejects(client.finishLogin(request, foreign), {
      code: 'OAUTH_LOGIN_FAILED',
      message: /not the answer/,
    })
    const refused = new URLSearchParams({ error: 'access_denied', state: request.state })
    await assert.rejects(client.finishLogin(request, refused), { code: 'OAUTH_LOGIN_FAILED', message: /access_denied/ })
  })
})

describe('the tokens of a daemon', () => {
  it('are asked for once by many, kept until shortly before their end, and replaced when refused', async (t) => {
    const answer = (n: number) => ({ body: { access_token: `at-${n}`, token_type: 'bearer', expires_in: 100 } })
    const { asked, url } = await startEndpoint(t, [answer(1), answer(2), answer(3)])
    let time = 0
    const now = () => time
    const client = new TokenClient(configure(url), { loginCommand: null, now })
    const tokens = new DaemonTokens({ client, now, random: () => 0.5 })
    assert.deepEqual(await Promise.all([tokens.get(), tokens.get(), tokens.get()]), ['at-1', 'at-1', 'at-1'])
    time = 79_000
    assert.equal(await tokens.get(), 'at-1')
    time = 81_000
    assert.equal(await tokens.get(), 'at-2')
    tokens.invalidate('at-1')
    assert.equal(await tokens.get(), 'at-2')
    tokens.invalidate('at-2')
    assert.equal(await tokens.get(), 'at-3')
    assert.equal(asked.length, 3)
  })

  it('are not asked for again right after a failure', async (t) => {
    const { asked, url } = await startEndpoint(t, [{ status: 401, body: { error: 'invalid_client' } }, good])
    let time = 0
    const now = () => time
    const client = new TokenClient(configure(url), { loginCommand: null, now })
    const tokens = new DaemonTokens({ client, now, random: () => 0.5 })
    for (let attempt = 0; attempt < 3; attempt += 1) await assert.rejects(tokens.get(), { code: 'OAUTH_REFUSED' })
    assert.equal(asked.length, 1)
    time = 5_000
    assert.equal(await tokens.get(), 'at')
  })
})
