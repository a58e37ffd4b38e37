import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { AuthConfig, OAuth2Config } from '../../src/config/config.ts'
import { PosthornError } from '../../src/errors.ts'
import { withAccessToken, type AccessTokens } from '../../src/mail/access-tokens.ts'
import { SmtpSender } from '../../src/mail/smtp-sender.ts'
import { mailTo, senderDependencies, senderOptions } from '../support/smtp-mail.ts'
import { startScriptServer, usualExtensions } from '../support/smtp-script-server.ts'

const auth: AuthConfig = { method: 'oauth2', user: 'me@example.com', oauth2: { mechanism: null } as OAuth2Config }

/** Tokens `tok-1`, `tok-2`, …: the next one after each refusal. */
const countingTokens = (): AccessTokens & { invalidated: string[] } => {
  const invalidated: string[] = []
  return {
    invalidated,
    get: async () => `tok-${invalidated.length + 1}`,
    invalidate: (token) => void invalidated.push(token),
    isGood: (token) => token === `tok-${invalidated.length + 1}`,
  }
}

const refused = (): PosthornError =>
  new PosthornError('IMAP_AUTHENTICATION_FAILED', 'refused', { stage: 'authenticate', retryable: true })

void describe('a login with an access token', () => {
  void test('a refused token is replaced once; a second refusal is a failed login', async () => {
    const tokens = countingTokens()
    const shown: (string | null)[] = []
    const connect = async (token: string | null): Promise<never> => {
      shown.push(token)
      throw refused()
    }
    await assert.rejects(withAccessToken(auth, tokens, connect), { code: 'IMAP_AUTHENTICATION_FAILED' })
    assert.deepEqual(shown, ['tok-1', 'tok-2'])
    assert.deepEqual(tokens.invalidated, ['tok-1'])
  })

  void test('a server that is down says nothing about the token', async () => {
    const tokens = countingTokens()
    const down = new PosthornError('IMAP_UNREACHABLE', 'down', { stage: 'connect', retryable: true })
    await assert.rejects(
      withAccessToken(auth, tokens, () => Promise.reject(down)),
      { code: 'IMAP_UNREACHABLE' },
    )
    assert.deepEqual(tokens.invalidated, [])
  })
})

void describe('a token that expires between two mails', { concurrency: 3 }, () => {
  for (const reply of ['530 5.7.57 Client not authenticated', '421 4.7.0 session expired', '535 5.7.3 expired']) {
    void test(`${reply.slice(0, 3)}: the next mail logs in with another token and is not counted as tried`, async (t) => {
      const tokens = countingTokens()
      const server = await startScriptServer(t, {
        extensions: [...usualExtensions, 'AUTH XOAUTH2'],
        script: ({ step, nth, connection }) =>
          step === 'MAIL' && nth === 2 && connection === 1 ? { reply } : undefined,
      })
      const onTrouble = (error: PosthornError): never => assert.fail(error.message)
      const options = senderOptions(server.port, { auth, allowPlaintextAuth: true, connections: 1 })
      const sender = new SmtpSender(options, senderDependencies({ accessTokens: tokens, onTrouble }))
      t.after(() => sender.close({ graceMs: 0 }))
      for (let sent = 0; sent < 3; sent += 1) assert.equal((await sender.send(mailTo())).kind, 'delivered')
      assert.deepEqual(tokens.invalidated, ['tok-1'])
      assert.equal(server.connections, 2)
      assert.equal(server.mails.length, 3)
    })
  }

  void test('a connection that goes in the middle of a mail, with its token, is replaced and the mail sent', async (t) => {
    const tokens = countingTokens()
    const server = await startScriptServer(t, {
      extensions: [...usualExtensions, 'AUTH XOAUTH2'],
      script: ({ step, connection }) => {
        if (step !== 'DATA' || connection !== 1) return undefined
        return { afterBytes: 1_000, react: { drop: true } }
      },
    })
    const options = senderOptions(server.port, { auth, allowPlaintextAuth: true, connections: 1 })
    const sender = new SmtpSender(options, senderDependencies({ accessTokens: tokens }))
    t.after(() => sender.close({ graceMs: 0 }))
    async function* content(): AsyncGenerator<Buffer> {
      const isFirst = tokens.invalidated.length === 0
      // The first time more than the system takes ahead of the server.
      for (let piece = 0; piece < (isFirst ? 500 : 2); piece += 1) {
        // Between the login and the loss its time has come.
        if (piece === 1 && isFirst) tokens.invalidate('tok-1')
        yield Buffer.alloc(60_000, 'x\r\n')
      }
    }
    const outcome = await sender.send(mailTo({ content }))
    assert.equal(outcome.kind, 'delivered')
    assert.equal(server.connections, 2)
    assert.equal(server.mails.length, 1)
  })

  void test('a new login that may not send either is told, not tried for ever', async (t) => {
    const server = await startScriptServer(t, {
      extensions: [...usualExtensions, 'AUTH XOAUTH2'],
      script: ({ step }) => (step === 'MAIL' ? { reply: '530 5.7.57 Client not authenticated' } : undefined),
    })
    const options = senderOptions(server.port, { auth, allowPlaintextAuth: true })
    const sender = new SmtpSender(options, senderDependencies({ accessTokens: countingTokens() }))
    t.after(() => sender.close({ graceMs: 0 }))
    for (const outcome of await Promise.all([sender.send(mailTo()), sender.send(mailTo())])) {
      assert.equal(outcome.kind, 'retry')
      assert.equal(outcome.error?.code, 'SMTP_AUTHENTICATION_FAILED')
    }
    assert.equal(server.connections, 1)
  })
})
