import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { before, describe, test, type TestContext } from 'node:test'

import type { AuthConfig, OAuth2Config, TlsConfig } from '../../../src/config/config.ts'
import { Secret } from '../../../src/config/secret.ts'
import { connectSmtp, type ConnectDependencies, type SmtpServerOptions } from '../../../src/mail/smtp/connect.ts'
import { verifySmtp } from '../../../src/mail/smtp/verify.ts'
import { createCertificates, type TestCertificates } from '../../support/certificates.ts'
import { plainTls, senderOptions } from '../../support/smtp-mail.ts'
import {
  startScriptServer,
  usualExtensions,
  type ScriptServer,
  type ScriptServerOptions,
} from '../../support/smtp-script-server.ts'

let certificates: TestCertificates

before(() => {
  certificates = createCertificates()
})

const password = (pass = 's3cret-pass'): AuthConfig => ({ method: 'password', user: 'u', password: new Secret(pass) })

const trusting = (more: Partial<TlsConfig> = {}): TlsConfig => ({ ...plainTls, ca: certificates.ca, ...more })

/** Connects, closes again, and says what came of it. */
const attempt = async (
  t: TestContext,
  serverOptions: ScriptServerOptions,
  options: Partial<SmtpServerOptions>,
  deps: ConnectDependencies = {},
): Promise<{ server: ScriptServer; facts: Awaited<ReturnType<typeof verifySmtp>> }> => {
  const server = await startScriptServer(t, serverOptions)
  const facts = await verifySmtp({ ...senderOptions(server.port), connectTimeoutMs: 1000, ...options }, deps)
  return { server, facts }
}

const offering = (...more: string[]): string[] => [...usualExtensions, ...more]

void describe('TLS', { concurrency: 4 }, () => {
  void test('implicit TLS and STARTTLS end encrypted, verified against the given authority', async (t) => {
    for (const [mode, security] of [
      ['implicit', 'tls'],
      ['starttls', 'starttls'],
    ] as const) {
      const tls = { mode, pair: certificates.server }
      const { facts } = await attempt(t, { tls }, { security, tls: trusting() })
      assert.match(facts.tls?.protocol ?? '', /^TLSv1\.[23]$/)
      assert.equal(facts.tls?.issuer, 'Test authority')
      assert.deepEqual(facts.extensions.slice(0, 2), ['PIPELINING', '8BITMIME'])
      assert.equal(facts.maxMessageBytes, 10_000_000)
    }
  })

  void test('a certificate of an unknown authority, or for another name, is refused and says so', async (t) => {
    const tls = { mode: 'implicit', pair: certificates.server } as const
    await assert.rejects(attempt(t, { tls }, { security: 'tls' }), {
      code: 'TLS_UNTRUSTED',
      stage: 'tls',
      message: /signed by nobody who is trusted here/,
    })
    const other = trusting({ serverName: 'mail.example.com' })
    await assert.rejects(attempt(t, { tls }, { security: 'tls', tls: other }), { code: 'TLS_WRONG_NAME' })
    const starttls = { mode: 'starttls', pair: certificates.server } as const
    await assert.rejects(attempt(t, { tls: starttls }, { security: 'starttls' }), { code: 'TLS_UNTRUSTED' })
  })

  void test('the client certificate is shown where the server wants one', async (t) => {
    const tls = { mode: 'implicit', pair: certificates.server, clientCa: certificates.ca } as const
    const { client } = certificates
    const own = trusting({ certificate: client.cert, key: new Secret(client.key) })
    const { facts } = await attempt(t, { tls }, { security: 'tls', tls: own })
    assert.notEqual(facts.tls, null)
    await assert.rejects(attempt(t, { tls }, { security: 'tls', tls: trusting() }))
  })

  void test('STARTTLS that the server does not offer is never left out', async (t) => {
    const server = await startScriptServer(t, { extensions: offering('AUTH PLAIN') })
    const options = { ...senderOptions(server.port), security: 'starttls', auth: password() } as const
    await assert.rejects(connectSmtp({ ...options, tls: trusting(), allowPlaintextAuth: true }), {
      code: 'TLS_NOT_OFFERED',
      message: /does not offer STARTTLS/,
    })
    assert.equal(server.count('AUTH'), 0)
  })

  void test('text injected between STARTTLS and the handshake is refused before the login', async (t) => {
    const server = await startScriptServer(t, {
      extensions: offering('AUTH PLAIN'),
      tls: { mode: 'starttls', pair: certificates.server },
      script: ({ step }) =>
        step === 'STARTTLS' ? { reply: '220 go ahead', thenSay: '250-injected\r\n250 AUTH PLAIN\r\n' } : undefined,
    })
    const options = { ...senderOptions(server.port), security: 'starttls', auth: password() } as const
    await assert.rejects(connectSmtp({ ...options, tls: trusting(), connectTimeoutMs: 1000 }), {
      code: 'TLS_FAILED',
      stage: 'tls',
      message: /injected/,
    })
    assert.equal(server.count('AUTH'), 0)
  })

  void test('security none stays in the clear also where STARTTLS is offered', async (t) => {
    const { server, facts } = await attempt(t, { tls: { mode: 'starttls', pair: certificates.server } }, {})
    assert.equal(facts.tls, null)
    assert.equal(server.count('STARTTLS'), 0)
  })

  void test('a server without TLS on a TLS port is told apart from one that is down', async (t) => {
    await assert.rejects(attempt(t, {}, { security: 'tls', tls: trusting() }), { code: 'TLS_NOT_OFFERED' })
  })
})

void describe('login', { concurrency: 4 }, () => {
  const plaintext = { auth: password(), allowPlaintextAuth: true }

  for (const [mechanism, lines] of [
    ['PLAIN', [`AUTH PLAIN ${Buffer.from('\0u\0s3cret-pass').toString('base64')}`]],
    ['LOGIN', ['AUTH LOGIN', Buffer.from('u').toString('base64'), Buffer.from('s3cret-pass').toString('base64')]],
  ] as const) {
    void test(`${mechanism} is used where it is offered`, async (t) => {
      const { server, facts } = await attempt(t, { extensions: offering(`AUTH ${mechanism}`) }, plaintext)
      assert.equal(facts.mechanism, mechanism)
      for (const line of lines) assert.ok(server.lines.includes(line))
    })
  }

  void test('CRAM-MD5 goes before PLAIN where somebody could look, and behind it under TLS', async (t) => {
    const extensions = offering('AUTH PLAIN CRAM-MD5')
    const clear = await attempt(t, { extensions }, plaintext)
    assert.equal(clear.server.count('AUTH CRAM-MD5'), 1)
    assert.ok(!clear.server.lines.join('\n').includes(Buffer.from('s3cret-pass').toString('base64').slice(0, 8)))
    const tls = { mode: 'implicit', pair: certificates.server } as const
    const encrypted = await attempt(t, { extensions, tls }, { auth: password(), security: 'tls', tls: trusting() })
    assert.equal(encrypted.server.count('AUTH PLAIN'), 1)
  })

  void test('no credentials go over an unencrypted connection unless that is allowed by name', async (t) => {
    const server = await startScriptServer(t, { extensions: offering('AUTH PLAIN') })
    const options = { ...senderOptions(server.port), auth: password() }
    await assert.rejects(connectSmtp(options), { code: 'SMTP_AUTHENTICATION_FAILED', message: /without TLS/ })
    assert.equal(server.count('AUTH'), 0)
  })

  void test('a server that offers no login the account can do is not tried with another', async (t) => {
    const server = await startScriptServer(t, { extensions: offering('AUTH GSSAPI NTLM') })
    await assert.rejects(connectSmtp({ ...senderOptions(server.port), ...plaintext }), {
      code: 'SMTP_AUTHENTICATION_FAILED',
      message: /offered: GSSAPI, NTLM/,
    })
    assert.equal(server.count('AUTH'), 0)
  })

  for (const [reply, code] of [
    ['535 5.7.8 no', 'SMTP_AUTHENTICATION_FAILED'],
    ['534 5.7.9 app password', 'SMTP_AUTHENTICATION_FAILED'],
    ['454 4.7.0 try later', 'SMTP_DEFERRED'],
  ] as const) {
    void test(`${reply} is ${code}`, async (t) => {
      const script: ScriptServerOptions['script'] = ({ step }) => (step === 'AUTH' ? { reply } : undefined)
      await assert.rejects(attempt(t, { extensions: offering('AUTH PLAIN'), script }, plaintext), {
        code,
        stage: 'authenticate',
        retryable: true,
      })
    })
  }

  void test('a connection that goes during the login is lost, not a refused login', async (t) => {
    const script: ScriptServerOptions['script'] = ({ step }) => (step === 'AUTH' ? { drop: true } : undefined)
    await assert.rejects(attempt(t, { extensions: offering('AUTH PLAIN'), script }, plaintext), {
      code: 'SMTP_CONNECTION_LOST',
    })
  })

  void test('a server that repeats the credentials does not get them into the message', async (t) => {
    const blob = Buffer.from('\0u\0s3cret-pass').toString('base64')
    const reply = `535 5.7.8 bad: s3cret-pass ${blob}`
    const script: ScriptServerOptions['script'] = ({ step }) => (step === 'AUTH' ? { reply } : undefined)
    await assert.rejects(attempt(t, { extensions: offering('AUTH PLAIN'), script }, plaintext), (error: Error) => {
      assert.match(error.message, /bad: \[secret\] \[secret\]/)
      return true
    })
  })
})

void describe('OAuth 2.0', { concurrency: 4 }, () => {
  const oauth = (mechanism: OAuth2Config['mechanism']): AuthConfig => ({
    method: 'oauth2',
    user: 'me@example.com',
    oauth2: { mechanism } as OAuth2Config,
  })
  const accessTokens = { get: async () => 'tok-1', invalidate: () => undefined, isGood: () => true }

  void test('XOAUTH2 and OAUTHBEARER show the token in their own forms', async (t) => {
    const security = { security: 'tls', tls: trusting() } as const
    const tls = { mode: 'implicit', pair: certificates.server } as const
    const extensions = offering('AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER')
    const one = await attempt(t, { extensions, tls }, { ...security, auth: oauth(null) }, { accessTokens })
    const first = Buffer.from('user=me@example.com\x01auth=Bearer tok-1\x01\x01').toString('base64')
    assert.ok(one.server.lines.includes(`AUTH XOAUTH2 ${first}`))
    const two = await attempt(t, { extensions, tls }, { ...security, auth: oauth('oauthbearer') }, { accessTokens })
    const message = `n,a=me@example.com,\x01host=127.0.0.1\x01port=${two.server.port}\x01auth=Bearer tok-1\x01\x01`
    assert.ok(two.server.lines.includes(`AUTH OAUTHBEARER ${Buffer.from(message).toString('base64')}`))
  })

  void test('a refused token is a failed login, and the token is not in its message', async (t) => {
    const script: ScriptServerOptions['script'] = ({ step }) =>
      step === 'AUTH' ? { reply: '535 5.7.3 tok-1 has expired' } : undefined
    const extensions = offering('AUTH XOAUTH2')
    const options = { auth: oauth('xoauth2'), allowPlaintextAuth: true }
    await assert.rejects(attempt(t, { extensions, script }, options, { accessTokens }), (error: Error) => {
      assert.equal((error as { code?: string }).code, 'SMTP_AUTHENTICATION_FAILED')
      assert.ok(!error.message.includes('tok-1'))
      return true
    })
  })
})

void describe('servers that can not be reached', { concurrency: 4 }, () => {
  void test('a name that does not exist, and a port that nothing listens on, are told apart', async () => {
    const dead = createServer().listen(0, '127.0.0.1')
    await once(dead, 'listening')
    const { port } = dead.address() as AddressInfo
    dead.close()
    await once(dead, 'close')
    await assert.rejects(connectSmtp(senderOptions(port)), {
      code: 'SMTP_UNREACHABLE',
      message: /nothing listens there/,
    })
    await assert.rejects(connectSmtp({ ...senderOptions(25), host: 'mail.invalid' }), {
      code: 'SMTP_UNREACHABLE',
      message: /DNS/,
    })
  })

  void test('something that is not SMTP is said to be so', async (t) => {
    const server = await startScriptServer(t, {
      script: ({ step }) => (step === 'CONNECT' ? { reply: 'HTTP/1.1 400 Bad Request' } : undefined),
    })
    await assert.rejects(connectSmtp(senderOptions(server.port)), (error: { code?: string }) => {
      assert.ok(error.code === 'SMTP_PROTOCOL_ERROR' || error.code === 'SMTP_UNREACHABLE')
      return true
    })
  })

  void test('an attempt that is given up leaves no connection', async (t) => {
    const server = await startScriptServer(t, {
      script: ({ step }) => (step === 'EHLO' ? { stall: true } : undefined),
    })
    const abort = new AbortController()
    const attempted = connectSmtp(senderOptions(server.port), { signal: abort.signal })
    await server.reached('EHLO')
    const [socket] = server.sockets
    abort.abort()
    await assert.rejects(attempted)
    if (socket !== undefined && !socket.destroyed) await once(socket, 'close')
    assert.equal(server.sockets.size, 0)
  })

  void test('a server that knows only HELO is served without extensions', async (t) => {
    const script: ScriptServerOptions['script'] = ({ step }) => (step === 'EHLO' ? { reply: '502 what?' } : undefined)
    const { facts } = await attempt(t, { script }, {})
    assert.deepEqual(facts.extensions, [])
  })
})
