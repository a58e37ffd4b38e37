/** Logins at a real Dovecot: by each of its mechanisms, with passwords that are no plain words, with client certificates. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ImapConfig } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { testDovecot, type Dovecot } from '../support/dovecot.ts'
import { plainTls } from '../support/smtp-mail.ts'

/** In the order in which the server is asked for them. */
const passwords = ['pässwörd-€-😀', `"quo\\ted" {5} (*) =?'`, 'p'.repeat(1_000)]
const passdbs = passwords.map(
  (password) => `passdb {\n  driver = static\n  args = password=${password.replaceAll(' ', '')}\n}`,
)

const optionsFor = (
  dovecot: Dovecot,
  user: string,
  password: string,
  changes: Partial<ImapConfig> = {},
): ImapConfig => ({
  host: dovecot.host,
  port: dovecot.imapsPort,
  security: 'tls',
  tls: { ...plainTls, ca: dovecot.certificates.ca },
  auth: { method: 'password', user, password: new Secret(password) },
  allowPlaintextAuth: false,
  connectTimeoutMs: 10_000,
  connections: 1,
  probeIntervalMs: 60_000,
  commandTimeoutMs: 10_000,
  ...changes,
})

/** @returns how it logged in */
const login = async (options: ImapConfig): Promise<string | null> => {
  const mailbox = await connectMailbox(options)
  const { loginWay } = mailbox
  assert.ok((await mailbox.listFolders()).some(({ path }) => path === 'INBOX'))
  await mailbox.close()
  return loginWay
}

describe('a login at Dovecot', () => {
  for (const [mechanisms, way] of [
    ['plain login cram-md5', 'AUTH=PLAIN'],
    ['login', 'AUTH=LOGIN'],
    ['cram-md5', 'AUTH=CRAM-MD5'],
  ] as const) {
    it(`is by ${way} where the server offers ${mechanisms}, with any password`, async () => {
      const dovecot = await testDovecot({ settings: [`auth_mechanisms = ${mechanisms}`, ...passdbs] })
      const { user, password } = dovecot.newUser()
      assert.equal(await login(optionsFor(dovecot, user, password)), way)
      // A mechanism that never sees the password is only checked against the first one that the server finds.
      const others = way === 'AUTH=CRAM-MD5' ? [] : passwords
      for (const other of others) assert.equal(await login(optionsFor(dovecot, user, other.replaceAll(' ', ''))), way)
      await assert.rejects(connectMailbox(optionsFor(dovecot, user, 'wrong')), { code: 'IMAP_AUTHENTICATION_FAILED' })
    })
  }

  it('hides the password in the clear by CRAM-MD5', async () => {
    const clear = { security: 'none', allowPlaintextAuth: true } as const
    const kind = await testDovecot({ settings: ['auth_mechanisms = plain cram-md5'] })
    const { user, password } = kind.newUser()
    const options = optionsFor(kind, user, password, { ...clear, port: kind.imapPort })
    assert.equal(await login(options), 'AUTH=CRAM-MD5')
  })

  it('shows the client certificate where the server wants one', async () => {
    const dovecot = await testDovecot({ clientCertificates: true })
    const { user, password } = dovecot.newUser()
    const { client, ca } = dovecot.certificates
    const without = optionsFor(dovecot, user, password)
    const tls = { ...plainTls, ca, certificate: client.cert, key: new Secret(client.key) }
    assert.equal(await login({ ...without, tls }), 'AUTH=PLAIN')
    assert.equal(await login({ ...without, tls, security: 'starttls', port: dovecot.imapPort }), 'AUTH=PLAIN')
    await assert.rejects(connectMailbox(without), (error: { code?: string }) =>
      ['IMAP_AUTHENTICATION_FAILED', 'TLS_CLIENT_REFUSED'].includes(error.code ?? ''),
    )
  })
})
