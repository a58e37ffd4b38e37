/**
 * `posthorn check` of mail servers, real ones and some with exactly one fault: each failure has its code, its sentence and what
 * to do.
 */
import assert from 'node:assert/strict'
import { before, describe, it, type TestContext } from 'node:test'
import type { TlsOptions } from 'node:tls'
import { createCertificates, type TestCertificates } from '../support/certificates.ts'
import { closedPort, planted, runCheck, silentPort, storageOf } from '../support/check-run.ts'
import { testDovecot, type Dovecot } from '../support/dovecot.ts'
import { startImapScript } from '../support/imap-script-server.ts'
import { testServers } from '../support/servers.ts'
import { startRealServer } from '../support/smtp-real-server.ts'
import { startScriptServer, usualExtensions } from '../support/smtp-script-server.ts'
import { startTlsServer } from '../support/tls-server.ts'

let certificates: TestCertificates
let dovecot: Dovecot
before(async () => {
  certificates = createCertificates()
  dovecot = await testDovecot()
})

const files = () => ({
  'ca.pem': certificates.ca,
  'other.pem': certificates.otherCa,
  'dovecot.pem': dovecot.certificates.ca,
})

const smtpWithTls = (t: TestContext, options: TlsOptions): Promise<number> =>
  startTlsServer(t, options, '220 ready\r\n')

interface ExpectedFailure {
  smtp?: object
  imap?: object
  receive?: object[]
  step: string
  code: string
  message: RegExp
  action: RegExp
}

const local = { host: '127.0.0.1' }
const from = 'a@example.com'
const auth = { user: 'u', password: `${planted}-1` }

const faultyAccounts = async (t: TestContext): Promise<Record<string, ExpectedFailure>> => {
  const plainSmtp = (await startScriptServer(t)).port
  const noLogin = (await startScriptServer(t, { extensions: [...usualExtensions, 'AUTH GSSAPI'] })).port
  const withLogin = (await startRealServer(t, { pair: certificates.server, secure: true })).port
  const { user, password } = dovecot.newUser()
  const imaps = { ...local, port: dovecot.imapsPort, security: 'tls' }
  const trusted = { ...imaps, caFile: 'dovecot.pem' }
  return {
    'no such name': {
      smtp: { host: 'no-such-host.invalid', security: 'none', from },
      step: 'dns',
      code: 'SMTP_UNREACHABLE',
      message: /not in the DNS/,
      action: /spelling/,
    },
    'nobody listens': {
      imap: { ...local, port: await closedPort(), security: 'tls' },
      step: 'tcp',
      code: 'IMAP_UNREACHABLE',
      message: /nothing listens there/,
      action: /host and port/,
    },
    'says nothing': {
      smtp: { ...local, port: await silentPort(t), security: 'none', from, connectTimeout: '500ms' },
      step: 'login',
      code: 'SMTP_TIMEOUT',
      message: /did not answer in time/,
      action: /security: tls/,
    },
    'IMAP says nothing': {
      imap: { ...local, port: await silentPort(t), security: 'none', connectTimeout: '500ms' },
      step: 'login',
      code: 'IMAP_TIMEOUT',
      message: /failed/,
      action: /security: tls/,
    },
    'not TLS': {
      smtp: { ...local, port: plainSmtp, security: 'tls', from },
      step: 'tls',
      code: 'TLS_NOT_OFFERED',
      message: /does not answer with TLS/,
      action: /STARTTLS/,
    },
    'STARTTLS missing': {
      smtp: { ...local, port: plainSmtp, security: 'starttls', from },
      step: 'tls',
      code: 'TLS_NOT_OFFERED',
      message: /STARTTLS was answered with "502/,
      action: /security: tls/,
    },
    'IMAP STARTTLS missing': {
      imap: { ...local, port: (await startImapScript(t, { answer: () => 'BAD what' })).port, security: 'starttls' },
      step: 'tls',
      code: 'TLS_NOT_OFFERED',
      message: /STARTTLS was answered with/,
      action: /security: tls/,
    },
    'wrong authority': {
      imap: { ...imaps, caFile: 'other.pem' },
      step: 'tls',
      code: 'TLS_UNTRUSTED',
      message: /signed by nobody who is trusted/,
      action: /caFile/,
    },
    expired: {
      smtp: { ...local, port: await smtpWithTls(t, certificates.expired), security: 'tls', caFile: 'ca.pem', from },
      step: 'tls',
      code: 'TLS_EXPIRED',
      message: /has expired/,
      action: /renewed/,
    },
    'another name': {
      smtp: { ...local, port: await smtpWithTls(t, certificates.misnamed), security: 'tls', caFile: 'ca.pem', from },
      step: 'tls',
      code: 'TLS_WRONG_NAME',
      message: /another name/,
      action: /serverName/,
    },
    'client certificate missing': {
      smtp: {
        ...local,
        port: await smtpWithTls(t, { ...certificates.server, requestCert: true, ca: certificates.ca }),
        security: 'tls',
        caFile: 'ca.pem',
        from,
      },
      step: 'login',
      code: 'TLS_CLIENT_REFUSED',
      message: /client certificate/,
      action: /certFile/,
    },
    'login refused': {
      smtp: { ...local, port: withLogin, security: 'tls', caFile: 'ca.pem', from, auth },
      step: 'login',
      code: 'SMTP_AUTHENTICATION_FAILED',
      message: /refuses the login: 535/,
      action: /auth/,
    },
    'IMAP login refused': {
      imap: { ...trusted, auth: { user, password: `${planted}-2` } },
      step: 'login',
      code: 'IMAP_AUTHENTICATION_FAILED',
      message: /AUTHENTICATIONFAILED/,
      action: /imap\.auth/,
    },
    'no login that would do': {
      smtp: { ...local, port: noLogin, security: 'none', allowPlaintextAuth: true, from, auth },
      step: 'login',
      code: 'SMTP_AUTHENTICATION_FAILED',
      message: /offered: GSSAPI/,
      action: /method of auth/,
    },
    'no folder': {
      imap: { ...trusted, auth: { user, password } },
      receive: [{ folder: 'Nowhere' }],
      step: 'folders',
      code: 'IMAP_FOLDER_MISSING',
      message: /no folder Nowhere/,
      action: /there are .*INBOX/,
    },
  }
}

describe('posthorn check', () => {
  it('explains each failure of a mail server, all in one run, and does not wait for one after the other', async (t) => {
    const expected = await faultyAccounts(t)
    const accounts = Object.fromEntries(
      Object.entries(expected).map(([name, { smtp, imap, receive }]) => [
        name,
        { ...(smtp && { smtp }), ...(imap && { imap }), ...(receive && { receive }) },
      ]),
    )
    const { code, ok, checks } = await runCheck(t, { storage: await storageOf(), accounts }, { files: files() })
    assert.equal(code, 1)
    assert.equal(ok, false)
    for (const [name, { step, code: failure, message, action }] of Object.entries(expected)) {
      const last = checks.findLast(({ account }) => account === name)
      assert.ok(last, name)
      assert.deepEqual([last.step, last.ok, last.code], [step, false, failure], `${name}: ${last.message}`)
      assert.match(last.message, message, name)
      assert.match(last.action ?? '', action, name)
    }
    const failed = checks.filter((result) => !result.ok)
    assert.equal(failed.length, Object.keys(expected).length, 'nothing else failed')
  })

  it('is content with servers that are well, says what they can do, and warns of a certificate that expires soon', async (t) => {
    const { user, password } = dovecot.newUser()
    const smtp = await startRealServer(t, { pair: certificates.server })
    const login = { user: 'u', password: 'right' }
    const account = {
      smtp: { ...local, port: smtp.port, security: 'starttls', caFile: 'ca.pem', from, auth: login },
      imap: { ...local, port: dovecot.imapPort, security: 'starttls', caFile: 'dovecot.pem', auth: { user, password } },
      receive: [{ folder: 'INBOX', after: { move: 'Done' } }],
    }
    const avro = { encoding: 'confluent', registry: { url: (await testServers()).registry } }
    const config = { avro, storage: await storageOf(), accounts: { support: account } }
    const { code, ok, checks } = await runCheck(t, config, { files: files() })
    assert.deepEqual(
      checks.filter((result) => !result.ok),
      [],
    )
    assert.deepEqual([code, ok], [0, true])
    const steps = checks.map(({ component, step }) => `${component} ${step}`)
    for (const step of [
      'kafka connect',
      'kafka topics',
      'registry connect',
      'registry subjects',
      'storage put, get, delete',
    ])
      assert.ok(steps.includes(step), step)
    const said = (component: string, step: string) =>
      checks.find((result) => result.component === component && result.step === step)
    assert.match(said('kafka', 'topics')?.message ?? '', /posthorn run will create/)
    assert.match(said('registry', 'subjects')?.message ?? '', /will register .*-value/)
    assert.match(
      said('smtp', 'tls')?.message ?? '',
      /^TLSv1\.3 after STARTTLS, TLS_\w+, signed by Test authority, valid until/,
    )
    assert.match(said('smtp', 'tls')?.action ?? '', /expires in 1 days/)
    assert.match(
      said('smtp', 'login')?.message ?? '',
      /logged in as u by PLAIN; the server has PIPELINING, SIZE, 8BITMIME/,
    )
    assert.match(said('imap', 'login')?.message ?? '', /by AUTH=PLAIN; the server has IDLE, MOVE, UIDPLUS, CONDSTORE/)
    assert.match(
      said('imap', 'folders')?.message ?? '',
      /INBOX can be opened; archived mail goes to Archive \(SPECIAL-USE\); sent mail goes to Sent \(SPECIAL-USE\); Done will be created/,
    )
    const { table } = await runCheck(t, config, { asTable: true, files: files() })
    assert.match(table, /^ok +imap +support +folders +\d+ ms +\d+ folders/m)
  })
})
