import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { OAuth2Config } from '../../src/config/config.ts'
import { compile, refusals, withSections, withSmtp } from './support.ts'

const oauth2 = (keys: string): OAuth2Config => {
  const auth = compile(withSmtp(`auth: { user: me@example.com, oauth2: { clientId: c, ${keys} } }`)).accounts['a']?.smtp
    ?.auth
  assert.ok(auth?.method === 'oauth2')
  return auth.oauth2
}

const refused = (keys: string): string[] =>
  refusals(withSmtp(`auth: { user: me@example.com, oauth2: { clientId: c, ${keys} } }`)).map((line) =>
    line.replace('accounts.a.smtp.auth.oauth2.', '').replace('(line 2)', '').replace(' :', ':'),
  )

const urls = (token: string): string =>
  `provider: custom, scopes: [mail], authorizationUrl: "https://a.example/a", tokenUrl: "${token}"`

const sasl = (grant: string): string =>
  `kafka: { brokers: [k:1], sasl: { mechanism: oauthbearer, oauth2: { provider: custom, clientId: c, clientSecret: s, scopes: [k], tokenUrl: "https://a.example/t", ${grant} } } }`

const key = (text: string): string | undefined =>
  compile(withSections(`oauth: { encryptionKey: "${text}" }`)).oauth.encryptionKey?.reveal()

const allowed = (keys: string): readonly string[] | undefined =>
  compile(withSections(`accounts: { a: { smtp: { host: h, security: tls, ${keys} } } }`)).accounts['a']?.smtp
    ?.allowedFrom

describe('OAuth 2.0', () => {
  it('knows Google', () => {
    const google = oauth2(
      'provider: google, clientSecret: s, authorizationParameters: { prompt: none, hd: example.com }',
    )
    assert.equal(google.grant, 'authorization_code')
    assert.equal(google.authorizationUrl, 'https://accounts.google.com/o/oauth2/v2/auth')
    assert.equal(google.clientAuthentication, 'client_secret_post')
    assert.deepEqual(google.scopes, ['https://mail.google.com/'])
    assert.deepEqual(google.authorizationParameters, { access_type: 'offline', prompt: 'none', hd: 'example.com' })
  })

  it('knows Microsoft 365, for a person and for a daemon', () => {
    const person = oauth2('provider: microsoft')
    assert.equal(person.clientAuthentication, 'none')
    assert.ok(person.scopes.includes('offline_access'))
    const daemon = oauth2('provider: microsoft, grant: client_credentials, tenant: t, clientSecret: s')
    assert.equal(daemon.tokenUrl, 'https://login.microsoftonline.com/t/oauth2/v2.0/token')
    assert.deepEqual(daemon.scopes, ['https://outlook.office365.com/.default'])
  })

  it('signs assertions for the user of the login', () => {
    const { jwt } = oauth2('provider: google, grant: jwt_bearer, jwt: { privateKeyFile: key.pem, keyId: k }')
    assert.match(jwt?.privateKey.reveal() ?? '', /PRIVATE KEY/)
    assert.deepEqual(
      { ...jwt, privateKey: null },
      {
        issuer: 'c',
        subject: 'me@example.com',
        audience: 'https://oauth2.googleapis.com/token',
        privateKey: null,
        keyId: 'k',
        algorithm: 'RS256',
      },
    )
  })

  it('refuses a grant that misses what it needs', () => {
    assert.deepEqual(refused('provider: custom'), [
      'tokenUrl: is required with provider: custom',
      'scopes: is required with provider: custom',
      'authorizationUrl: is required with a login by a person',
    ])
    assert.deepEqual(refused('provider: microsoft, grant: client_credentials'), [
      'clientSecret: is required with grant: client_credentials',
      'tenant: is required with provider: microsoft and grant: client_credentials',
    ])
    assert.deepEqual(refused('provider: google, grant: jwt_bearer'), ['jwt: is required with grant: jwt_bearer'])
    assert.deepEqual(refused('provider: google, tenant: t'), ['tenant: "t": is only for provider: microsoft'])
  })

  it('refuses to send credentials over http, but for a server on this machine', () => {
    assert.equal(refused(urls('http://127.0.0.1:4000/t')).length, 0)
    assert.match(refused(urls('http://auth.example/t'))[0] ?? '', /tokenUrl: .*must be an https URL/)
    assert.match(refused(urls('http://127.0.0.1.example/t'))[0] ?? '', /tokenUrl: .*must be an https URL/)
  })

  it('shares one grant where the other direction says so', () => {
    const text = `accounts: { a: {
      smtp: { host: h, security: tls, from: a@b.example, auth: { user: u, oauth2: { provider: google, clientId: c } } },
      imap: { host: h, security: tls, auth: same-as-smtp } } }`
    const { smtp, imap } = compile(withSections(text)).accounts['a'] ?? {}
    assert.equal(imap?.auth, smtp?.auth)
    assert.equal(imap?.auth?.method === 'oauth2' && imap.auth.oauth2.owner, 'smtp')
  })

  it('logs a broker in without a person only', () => {
    const compiled = compile(sasl('grant: client_credentials')).kafka.sasl
    assert.equal(compiled?.mechanism === 'oauthbearer' && compiled.oauth2.owner, 'kafka')
    assert.match(
      refusals(sasl('authorizationUrl: "https://a.example/a"'))[0] ?? '',
      /grant.*: must be client_credentials/,
    )
  })

  it('takes keys for stored tokens as base64 or hex of 32 bytes', () => {
    const bytes = Buffer.alloc(32, 0xfb)
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      assert.equal(key(bytes.toString(encoding)), bytes.toString('base64'), encoding)
    }
    assert.match(
      refusals(withSections('oauth: { encryptionKey: short }'))[0] ?? '',
      /\[secret\]: must be 32 random bytes/,
    )
  })
})

describe('senders', () => {
  it('may use the address of from and what allowedFrom adds', () => {
    assert.deepEqual(allowed('from: "Support <s@example.com>"'), ['s@example.com'])
    assert.deepEqual(allowed('from: s@example.com, allowedFrom: ["*@example.org"]'), ['s@example.com', '*@example.org'])
    assert.deepEqual(allowed('allowedFrom: ["*@example.org"]'), ['*@example.org'])
    assert.deepEqual(allowed('auth: { user: u@example.com, password: p }'), ['u@example.com'])
  })

  it('may not be a pattern', () => {
    assert.match(
      refusals(withSmtp('').replace('a@example.com', '"*@example.com"'))[0] ?? '',
      /must not contain \* or \?/,
    )
  })
})
