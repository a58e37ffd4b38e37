import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'

import { compile, contractExample, refusals, withSections } from './support.ts'

const ports = (security: string): unknown[] => {
  const server = `{ host: h, security: ${security}, from: a@example.com }`
  const { smtp, imap } =
    compile(withSections(`accounts: { a: { smtp: ${server}, imap: { host: h, security: ${security} } } }`)).accounts[
      'a'
    ] ?? {}
  return [smtp?.port, imap?.port]
}

describe('compileConfig', () => {
  it('compiles the example of the contract', () => {
    const config = compile(contractExample)
    assert.deepEqual(config.kafka.brokers, ['127.0.0.1:9092'])
    assert.match(config.kafka.tls?.ca ?? '', /BEGIN CERTIFICATE/)
    assert.ok(config.kafka.sasl?.mechanism === 'scram-sha-512')
    assert.equal(config.kafka.sasl.password.reveal(), 'kafka-secret')
    assert.equal(config.kafka.topics.sendRequests, 'mail.send.requests')
    assert.equal(config.kafka.topics.replication, 3)
    assert.deepEqual(config.send.retry, {
      tiers: [
        { label: '1m', delayMs: 60_000, topic: 'mail.send.retries.1m' },
        { label: '10m', delayMs: 600_000, topic: 'mail.send.retries.10m' },
        { label: '1h', delayMs: 3_600_000, topic: 'mail.send.retries.1h' },
      ],
      maxAgeMs: 86_400_000,
    })
    assert.deepEqual(config.limits, {
      maxMessageBytes: 150 * 1024 * 1024,
      maxInlineBodyBytes: 256 * 1024,
      maxParts: 10_000,
    })
    assert.equal(config.storage?.secretAccessKey?.reveal(), 's3-secret')
    assert.equal(config.http?.token?.reveal(), 'admin-secret')
    const account = config.accounts['support']
    assert.ok(account?.smtp && account.imap)
    assert.deepEqual(account.smtp.rate, { count: 30, perMs: 60_000 })
    assert.deepEqual(account.smtp.allowedFrom, ['support@example.com'])
    assert.equal(account.smtp.auth?.method, 'password')
    assert.equal(
      account.imap.auth?.method === 'oauth2' && account.imap.auth.oauth2.tokenUrl,
      'https://login.microsoftonline.com/common/oauth2/v2.0/token',
    )
    assert.deepEqual(account.receive, [
      {
        folder: 'INBOX',
        start: { at: 'unread' },
        select: {
          subject: 'invoice',
          from: '*@example.com',
          to: null,
          unread: true,
          sinceMs: Date.UTC(2026, 0, 1),
          beforeMs: null,
          largerThanBytes: null,
          smallerThanBytes: null,
          hasAttachment: null,
          keyword: null,
        },
        after: { action: 'move', folder: 'Processed' },
        idle: true,
        pollMs: 60_000,
        keepRaw: true,
        uidValidityChanged: 'reseed',
      },
    ])
    assert.equal(account.archiveFolder, 'Archive')
  })

  it('fills in every default from a broker alone', () => {
    const config = compile('kafka: { brokers: [k:9092] }')
    assert.equal(config.storage, null)
    assert.equal(config.http, null)
    assert.equal(config.kafka.tls, null)
    assert.equal(config.kafka.group, 'posthorn')
    assert.equal(config.send.concurrency, 256)
    assert.equal(config.avro.encoding, 'single-object')
    assert.deepEqual(Object.keys(config.accounts), [])
  })

  it('chooses the port by the security of the connection', () => {
    assert.deepEqual(ports('none'), [25, 143])
    assert.deepEqual(ports('starttls'), [587, 143])
    assert.deepEqual(ports('tls'), [465, 993])
  })

  it('is frozen to the bottom', () => {
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      assert.ok(Object.isFrozen(value), inspect(value))
      Object.values(value).forEach(visit)
    }
    visit(compile(contractExample))
  })

  it('prints no secret in any form', () => {
    const config = compile(contractExample)
    for (const text of [inspect(config, { depth: null, showHidden: true }), JSON.stringify(config)]) {
      assert.doesNotMatch(text, /kafka-secret|s3-secret|admin-secret/)
      assert.match(text, /\[secret\]/)
    }
  })

  it('reports every problem at once, with path, line, value and rule', () => {
    const lines = refusals(`kafka: { brokers: [], groop: x }
storage: { bucket: mail, endpoint: ftp://x }
limits: { maxParts: 0 }
acounts: {}
accounts:
  a:
    smtp:
      host: smtp.example.com:25
      security: ssl
      from: a@example.com
  b: {}
`)
    assert.deepEqual(lines, [
      'kafka.brokers (line 1): a list: must name at least one broker',
      'kafka.groop (line 1): unknown key, did you mean group?',
      'storage.endpoint (line 2): "ftp://x": must be an http or https URL without a user, a password or a fragment in it',
      'limits.maxParts (line 3): 0: must be an integer from 1 to 1000000',
      'acounts (line 4): unknown key, did you mean accounts?',
      'accounts.a.smtp.host (line 8): "smtp.example.com:25": must be a host name or an IP address, without a scheme, a port or a path',
      'accounts.a.smtp.security (line 9): "ssl": must be one of none, starttls, tls',
      'accounts.b (line 11): an object: must have smtp, imap or both',
    ])
  })

  it('never shows a secret, nor what stands where a secret belongs', () => {
    const [...lines] =
      refusals(`kafka: { brokers: [k:9092], sasl: { mechanism: plain, username: u, password: 1234567 } }
storage: { bucket: mail, accessKeyId: a, secretAccessKey: [hunter2] }
http: { host: 0.0.0.0, tokn: hunter2 }
send: hunter2
oauth: { encryptionKey: hunter2 }
accounts: { a: { smtp: { host: h, security: tls, from: a@example.com, auth: 'u:hunter2' } } }
`)
    assert.equal(lines.length, 6, lines.join('\n'))
    assert.doesNotMatch(lines.join('\n'), /hunter2|1234567/)
    assert.match(lines.join('\n'), /sasl\.password \(line 1\): \[secret\]: must be text/)
  })

  it('cuts long values and makes control characters visible', () => {
    const [line = ''] = refusals(withSections(`limits: { maxMessageBytes: "\\u202e\\n${'x'.repeat(5000)}" }`))
    assert.ok(line.length < 300, line)
    assert.match(line, /"\\u202e\\nx+…"/)
  })

  it('says that a key without a value needs one, and a missing one is required', () => {
    assert.deepEqual(refusals('kafka: { brokers: [k:9092], group: }\naccounts: { a: { smtp: { security: tls } } }'), [
      'kafka.group (line 1): no value: has no value; give it one or remove the key',
      'accounts.a.smtp.host (line 2): is required',
    ])
  })

  it('refuses a file without a broker', () => {
    assert.deepEqual(refusals('accounts: {}'), ['kafka: is required'])
  })

  it('takes an account called like a property of every object', () => {
    const config = compile(
      withSections(`accounts: { constructor: { smtp: { host: h, security: tls, from: a@b.example } } }`),
    )
    assert.equal(config.accounts['constructor']?.name, 'constructor')
    assert.equal(config.accounts['toString'], undefined)
  })

  it('refuses account names that are empty, too long or not printable', () => {
    for (const name of ['""', `"${'n'.repeat(256)}"`, '"a\\nb"', '"a\\0"']) {
      const [line = ''] = refusals(
        withSections(`accounts: { ? ${name} : { smtp: { host: h, security: tls, from: a@b.example } } }`),
      )
      assert.match(line, /the name must be an account name of 1 to 255 characters/, name)
    }
  })

  it('requires storage where an account receives, and only there', () => {
    assert.deepEqual(refusals(withSections('accounts: { a: { imap: { host: h, security: tls } } }')), [])
    const [line] = refusals(
      withSections('accounts: { a: { imap: { host: h, security: tls }, receive: [{ folder: INBOX }] } }'),
    )
    assert.equal(line, 'storage: is required because account "a" receives: attachments go there')
  })

  it('applies the limits of a provider where the account says nothing else', () => {
    const { smtp, imap } =
      compile(
        withSections(
          'accounts: { a: { profile: microsoft365, smtp: { host: h, security: starttls, from: a@b.example, connections: 1 }, imap: { host: h, security: tls } } }',
        ),
      ).accounts['a'] ?? {}
    assert.deepEqual(smtp?.rate, { count: 30, perMs: 60_000 })
    assert.equal(smtp?.connections, 1)
    assert.equal(imap?.connections, 8)
  })
})
