import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { refusals, withReceive, withSections, withSmtp } from './support.ts'

describe('contradictions', () => {
  const cases: [title: string, text: string, rule: RegExp][] = [
    [
      'confluent without a registry',
      withSections('avro: { encoding: confluent }'),
      /^avro\.registry.*: is required with/,
    ],
    [
      'half of the storage credentials',
      withSections('storage: { bucket: mail, accessKeyId: a }'),
      /needs secretAccessKey/,
    ],
    [
      'retry tiers that do not ascend',
      withSections('send: { retry: { tiers: [10m, 1m] } }'),
      /tiers\[1\] .*"1m": must be longer than 10m/,
    ],
    ['two equal retry tiers', withSections('send: { retry: { tiers: [60s, 1m] } }'), /must be longer than 60s/],
    [
      'two topics of one name',
      'kafka: { brokers: [k:1], topics: { inbound: x.y, commands: x.y } }',
      /commands .*must differ from inbound/,
    ],
    [
      'a topic that is a retry topic',
      'kafka: { brokers: [k:1], topics: { inbound: mail.send.retries.1m } }',
      /must differ from the retry topic/,
    ],
    [
      'a topic that is the one of the ids',
      'kafka: { brokers: [k:1], topics: { inbound: mail.send.state } }',
      /inbound .*must differ from the topic of the ids of sendRequests/,
    ],
    [
      'a name too long for the topic of the ids',
      `kafka: { brokers: [k:1], topics: { sendRequests: ${'x'.repeat(245)} } }`,
      /sendRequests .*must leave room for \.state/,
    ],
    [
      'no partitions',
      'kafka: { brokers: [k:1], topics: { partitions: 0 } }',
      /partitions .*0: must be an integer from 1/,
    ],
    [
      'an open listener without a token',
      withSections('http: { host: 0.0.0.0 }'),
      /^http\.token.*: is required because 0\.0\.0\.0/,
    ],
    [
      'a login in the clear',
      withSmtp('auth: { user: u, password: p }').replace('security: tls', 'security: none'),
      /smtp\.auth .*allowPlaintextAuth: true/,
    ],
    [
      'an account without servers',
      withSections('accounts: { a: { archiveFolder: A } }'),
      /must have smtp, imap or both/,
    ],
    [
      'receiving without imap',
      `storage: { bucket: mail }\n${withSmtp('')}`.replace('} } }', '}, receive: [{ folder: INBOX }] } }'),
      /receive .*needs imap/,
    ],
    [
      'same-as-smtp without a login there',
      withReceive('{ folder: INBOX }', 'auth: same-as-smtp'),
      /same-as-smtp needs a login in smtp\.auth/,
    ],
    [
      'each login the same as the other',
      withSections(
        'accounts: { a: { smtp: { host: h, security: tls, from: a@b.example, auth: same-as-imap }, imap: { host: h, security: tls, auth: same-as-smtp } } }',
      ),
      /same-as-smtp needs a login/,
    ],
    ['a login without proof', withSmtp('auth: { user: u }'), /must have password or oauth2/],
    ['a move to the same folder', withReceive('{ folder: inbox, after: { move: INBOX } }'), /must be another folder/],
    [
      'two rules for one folder',
      withReceive('{ folder: INBOX }, { folder: Inbox }'),
      /receive\[1\]\.folder .*has a rule already/,
    ],
    [
      'mail that goes round in a circle',
      withReceive('{ folder: A, after: { move: B } }, { folder: B, after: { move: A } }'),
      /leads back to this folder/,
    ],
    [
      'an empty span of time',
      withReceive('{ folder: A, select: { since: 2026-02-01, before: 2026-02-01 } }'),
      /before .*must be later than since/,
    ],
    [
      'an empty span of sizes',
      withReceive('{ folder: A, select: { larger: 1MB, smaller: 1MB } }'),
      /smaller .*must be greater than larger/,
    ],
    ['a day that does not exist', withReceive('{ folder: A, select: { since: 2026-02-30 } }'), /there is no such day/],
    ['a sender that nobody named', withSmtp('').replace(', from: a@example.com', ''), /smtp\.from.*: is required/],
    ['a sender that is no address', withSmtp('').replace('a@example.com', 'nobody'), /"nobody": must be one address/],
    ['a certificate without its key', withSmtp('certFile: ca.pem'), /needs keyFile/],
    ['a file that is not there', withSmtp('caFile: gone.pem'), /caFile .*"gone\.pem": file can't be read \(ENOENT\)/],
    ['a file that is no certificate', withSmtp('caFile: key.pem'), /with at least one certificate/],
    [
      'a key that is none',
      withSmtp('dkim: { domain: example.com, selector: s, privateKeyFile: ca.pem }'),
      /private key that is not encrypted/,
    ],
    ['a duration without a unit', withReceive('{ folder: A, poll: 60 }'), /poll .*60: must be a duration/],
    ['a duration longer than a timer can wait', withReceive('{ folder: A, poll: 25d }'), /must be from 10ms to 24d/],
    ['a size with a small letter', withSections('limits: { maxMessageBytes: 25mb }'), /must be a size/],
    ['a rate of nothing', withSmtp('rate: 0/1m'), /must be a rate/],
    ['a quoted number', withSmtp('port: "25"'), /port .*"25": must be an integer/],
    ['a password in a URL', withSections('storage: { bucket: mail, endpoint: "http://u:p@h" }'), /without a user/],
    ['a prefix that climbs', withSections('storage: { bucket: mail, prefix: a/../b }'), /no part being/],
  ]
  for (const [title, text, rule] of cases) {
    it(`refuses ${title}`, () => {
      const lines = refusals(text)
      assert.equal(lines.length, title.startsWith('each login') || title.includes('circle') ? 2 : 1, lines.join('\n'))
      assert.match(lines[0] ?? '', rule)
    })
  }
})
