import assert from 'node:assert/strict'
import { before, describe, it, type TestContext } from 'node:test'
import type { ImapConfig, OAuth2Config } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { answerCramMd5, choosePasswordLogin } from '../../src/mail/imap-login.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { createCertificates, type TestCertificates } from '../support/certificates.ts'
import { startImapScript, type ImapScript, type ImapScriptServer } from '../support/imap-script-server.ts'
import { plainTls } from '../support/smtp-mail.ts'

let certificates: TestCertificates
before(() => {
  certificates = createCertificates()
})

const optionsFor = (port: number, changes: Partial<ImapConfig>): ImapConfig => ({
  host: '127.0.0.1',
  port,
  security: 'starttls',
  tls: { ...plainTls, ca: certificates.ca },
  auth: { method: 'password', user: 'u', password: new Secret('s3cret-pass') },
  allowPlaintextAuth: false,
  connectTimeoutMs: 5_000,
  connections: 1,
  probeIntervalMs: 60_000,
  commandTimeoutMs: 5_000,
  ...changes,
})

interface Attempt {
  script: ImapScript
  options?: Partial<ImapConfig>
  token?: string
}

const refused = async (
  t: TestContext,
  { script, options = {}, token }: Attempt,
  expected: object,
): Promise<ImapScriptServer> => {
  const server = await startImapScript(t, script)
  const accessTokens =
    token === undefined ? undefined : { get: async () => token, invalidate: () => undefined, isGood: () => true }
  await assert.rejects(connectMailbox(optionsFor(server.port, options), { accessTokens }), expected)
  return server
}

const connected = async (t: TestContext, { script, options = {}, token }: Attempt) => {
  const server = await startImapScript(t, script)
  const accessTokens =
    token === undefined ? undefined : { get: async () => token, invalidate: () => undefined, isGood: () => true }
  const mailbox = await connectMailbox(optionsFor(server.port, options), { accessTokens })
  t.after(() => mailbox.close())
  return { server, mailbox }
}

const sentLogin = ({ commands }: ImapScriptServer): boolean =>
  commands.some((line) => /^(LOGIN|AUTHENTICATE)/.test(line))

describe('IMAP with security: starttls', { concurrency: 4 }, () => {
  it('refuses a server that does not offer STARTTLS, and shows it no login', async (t) => {
    const server = await refused(t, { script: { capabilities: 'AUTH=PLAIN' } }, { code: 'TLS_NOT_OFFERED' })
    assert.equal(sentLogin(server), false)
  })

  it('refuses a server that answers NO to STARTTLS', async (t) => {
    const script: ImapScript = {
      capabilities: 'STARTTLS AUTH=PLAIN',
      answer: (command) => (command === 'STARTTLS' ? 'NO not today' : undefined),
    }
    assert.equal(sentLogin(await refused(t, { script }, { code: 'TLS_NOT_OFFERED' })), false)
  })

  it('refuses a PREAUTH greeting: STARTTLS is impossible after it', async (t) => {
    const script: ImapScript = { greeting: '* PREAUTH welcome', capabilities: 'STARTTLS', pair: certificates.server }
    const server = await refused(t, { script }, { code: 'TLS_NOT_OFFERED' })
    assert.equal(server.commands.includes('STARTTLS'), false)
  })

  for (const injected of ['* CAPABILITY IMAP4rev1 AUTH=LOGIN\r\n', '* PREAUTH in\r\n', 'A1 OK\r\n', '\x16\x03']) {
    it(`refuses ${JSON.stringify(injected)} between the answer to STARTTLS and the handshake`, async (t) => {
      const script: ImapScript = { capabilities: 'STARTTLS AUTH=PLAIN', pair: certificates.server, injected }
      assert.equal(sentLogin(await refused(t, { script }, { code: 'TLS_FAILED' })), false)
    })
  }

  it('forgets what was offered in the clear: only what comes encrypted chooses the login', async (t) => {
    const script: ImapScript = {
      capabilities: 'STARTTLS AUTH=PLAIN AUTH=LOGIN',
      encryptedCapabilities: 'AUTH=GSSAPI LOGINDISABLED',
      pair: certificates.server,
    }
    const expected = { code: 'IMAP_AUTHENTICATION_FAILED', message: /offered: GSSAPI/ }
    assert.equal(sentLogin(await refused(t, { script }, expected)), false)
  })
})

describe('IMAP with security: none', { concurrency: 4 }, () => {
  it('shows no credentials unless that is allowed by name', async (t) => {
    const options = { security: 'none' } as const
    const server = await refused(
      t,
      { script: {}, options },
      { code: 'IMAP_AUTHENTICATION_FAILED', message: /without TLS/ },
    )
    assert.equal(sentLogin(server), false)
  })

  it('heeds LOGINDISABLED', async (t) => {
    const options = { security: 'none', allowPlaintextAuth: true } as const
    const script = { capabilities: 'STARTTLS LOGINDISABLED' }
    const server = await refused(t, { script, options }, { code: 'IMAP_AUTHENTICATION_FAILED' })
    assert.equal(sentLogin(server), false)
  })

  it('uses the LOGIN command where nothing else is offered', async (t) => {
    const options = { security: 'none', allowPlaintextAuth: true } as const
    const { server, mailbox } = await connected(t, { script: {}, options })
    assert.ok(server.commands.includes('LOGIN "u" "s3cret-pass"') || server.commands.includes('LOGIN u s3cret-pass'))
    assert.equal(mailbox.loginWay, 'LOGIN')
  })
})

describe('a refused IMAP login', () => {
  for (const [answer, code] of [
    ['NO [AUTHENTICATIONFAILED] no', 'IMAP_AUTHENTICATION_FAILED'],
    ['NO [PRIVACYREQUIRED] no', 'TLS_NOT_OFFERED'],
    ['NO [UNAVAILABLE] later', 'IMAP_COMMAND_FAILED'],
    ['NO s3cret-pass is wrong', 'IMAP_AUTHENTICATION_FAILED'],
  ] as const) {
    it(`with ${answer} is ${code}, and the password is not in its message`, async (t) => {
      const script: ImapScript = { answer: (command) => (command.startsWith('LOGIN') ? answer : undefined) }
      const options = { security: 'none', allowPlaintextAuth: true } as const
      await refused(t, { script, options }, (error: Error & { code?: string }) => {
        assert.equal(error.code, code)
        assert.doesNotMatch(error.message, /s3cret/)
        return true
      })
    })
  }
})

describe('an IMAP login with a token', () => {
  const oauth = (mechanism: OAuth2Config['mechanism']): Partial<ImapConfig> => ({
    security: 'none',
    allowPlaintextAuth: true,
    auth: { method: 'oauth2', user: 'me@example.com', oauth2: { mechanism } as OAuth2Config },
  })
  const script: ImapScript = { capabilities: 'SASL-IR AUTH=OAUTHBEARER AUTH=XOAUTH2' }

  it('is made by the mechanism that is configured', async (t) => {
    const { server, mailbox } = await connected(t, { script, options: oauth('xoauth2'), token: 'tok-1' })
    const message = Buffer.from('user=me@example.com\x01auth=Bearer tok-1\x01\x01').toString('base64')
    assert.ok(server.commands.includes(`AUTHENTICATE XOAUTH2 ${message}`), server.commands.join('\n'))
    assert.equal(mailbox.loginWay, 'AUTH=XOAUTH2')
    const other = await connected(t, { script, options: oauth(null), token: 'tok-1' })
    assert.equal(other.mailbox.loginWay, 'AUTH=OAUTHBEARER')
  })

  it('is not tried by another mechanism, or in the clear', async (t) => {
    const options = oauth('oauthbearer')
    const only: ImapScript = { capabilities: 'AUTH=XOAUTH2' }
    const expected = { code: 'IMAP_AUTHENTICATION_FAILED' }
    assert.equal(sentLogin(await refused(t, { script: only, options, token: 'tok-1' }, expected)), false)
    const clear = { ...options, allowPlaintextAuth: false }
    assert.equal(sentLogin(await refused(t, { script, options: clear, token: 'tok-1' }, expected)), false)
  })
})

describe('choosePasswordLogin', () => {
  const all = new Set(['AUTH=PLAIN', 'AUTH=LOGIN', 'AUTH=CRAM-MD5'])
  it('shows the password to nobody where somebody could look', () => {
    assert.equal(choosePasswordLogin('u', all, false), 'AUTH=CRAM-MD5')
    assert.equal(choosePasswordLogin('u', all, true), 'AUTH=PLAIN')
  })
  it('takes what there is, the command last', () => {
    assert.equal(choosePasswordLogin('u', new Set(['AUTH=CRAM-MD5']), true), 'AUTH=CRAM-MD5')
    assert.equal(choosePasswordLogin('u', new Set(['AUTH=LOGIN']), true), 'AUTH=LOGIN')
    assert.equal(choosePasswordLogin('u', new Set(), true), 'LOGIN')
    assert.equal(choosePasswordLogin('u', new Set(['LOGINDISABLED']), true), null)
  })
  it('logs in to a shared mailbox of Exchange by the command', () => {
    assert.equal(choosePasswordLogin('domain\\user\\shared', all, true), 'LOGIN')
  })
})

describe('answerCramMd5', () => {
  it('answers as the example of RFC 2195 does', () => {
    const challenge = 'PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+'
    assert.equal(
      answerCramMd5('tim', 'tanstaaftanstaaf', challenge),
      'dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw',
    )
  })
})
