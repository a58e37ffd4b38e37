/** Reports as their RFCs show them, and what kind of message they make. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'

const read = (...lines: string[]) => parseMessage(Buffer.from(lines.join('\r\n')), defaultParseLimits).message

const report = (type: string, fields: string[], ...original: string[]) =>
  read(
    'Content-Type: multipart/report; boundary=b',
    '',
    '--b',
    '',
    'prose',
    '--b',
    `Content-Type: ${type}`,
    '',
    ...fields,
    '',
    ...(original.length === 0 ? [] : ['--b', 'Content-Type: message/rfc822', '', ...original]),
    '--b--',
  )

const nobody = {
  finalRecipient: null,
  originalRecipient: null,
  action: null,
  status: null,
  diagnostic: null,
  remoteMta: null,
}

test('a bounce with several recipients, as in RFC 3464 appendix E', () => {
  const { kind, report: read } = report(
    'message/delivery-status',
    [
      'Reporting-MTA: dns; cs.utk.edu',
      '',
      'Original-Recipient: rfc822;arathib@vnet.ibm.com',
      'Final-Recipient: rfc822;arathib@vnet.ibm.com',
      'Action: failed',
      'Status: 5.0.0 (permanent failure)',
      "Diagnostic-Code: smtp; 550 'arathib@vnet.IBM.COM' is not a registered gateway user",
      'Remote-MTA: dns; vnet.ibm.com',
      '',
      'Original-Recipient: rfc822;johnh@hpnjld.njd.hp.com',
      'Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com',
      'Action: delayed',
      'Status: 4.0.0 (hpnjld.njd.jp.com: host name lookup failure)',
    ],
    'Message-ID: <original@example.com>',
    'Subject: x',
    '',
    'y',
  )
  assert.equal(kind, 'BOUNCE')
  assert.deepEqual(read, {
    originalMessageId: '<original@example.com>',
    originalEnvelopeId: null,
    reportingMta: 'cs.utk.edu',
    disposition: null,
    feedbackType: null,
    recipients: [
      {
        finalRecipient: 'arathib@vnet.ibm.com',
        originalRecipient: 'arathib@vnet.ibm.com',
        action: 'failed',
        status: '5.0.0',
        diagnostic: "550 'arathib@vnet.IBM.COM' is not a registered gateway user",
        remoteMta: 'vnet.ibm.com',
      },
      {
        ...nobody,
        finalRecipient: 'johnh@hpnjld.njd.hp.com',
        originalRecipient: 'johnh@hpnjld.njd.hp.com',
        action: 'delayed',
        status: '4.0.0',
      },
    ],
  })
})

test('a report of delay, delivery or relay is no bounce', () => {
  for (const action of ['delayed', 'delivered', 'relayed', 'expanded']) {
    const { kind } = report('message/delivery-status', [
      'Reporting-MTA: dns; a',
      '',
      'Final-Recipient: rfc822; a@b',
      `Action: ${action}`,
    ])
    assert.equal(kind, 'DELIVERY_REPORT', action)
  }
  assert.equal(
    report('message/delivery-status', ['Reporting-MTA: dns; a', '', 'Final-Recipient: rfc822; a@b', 'Status: 5.1.1'])
      .kind,
    'BOUNCE',
  )
})

test('the fields are found where prose stands before them, and that is no defect', () => {
  const {
    kind,
    report: found,
    defects,
  } = report('message/delivery-status', [
    'It did not work.',
    '',
    'Original-Envelope-Id: r1',
    'Reporting-MTA: dns; a',
    '',
    'Final-Recipient: rfc822; <a@b>',
    'Action: failed',
  ])
  assert.deepEqual([kind, found?.recipients[0]?.finalRecipient, defects], ['BOUNCE', 'a@b', []])
})

test('a disposition notification, as in RFC 8098 section 9', () => {
  const { kind, report: read } = report('message/disposition-notification', [
    'Reporting-UA: joes-pc.cs.example.com; Foomail 97.1',
    'Original-Recipient: rfc822;Joe_Recipient@example.com',
    'Final-Recipient: rfc822;Joe_Recipient@example.com',
    'Original-Message-ID: <199509192301.23456@example.org>',
    'Disposition: manual-action/MDN-sent-manually; displayed',
  ])
  assert.equal(kind, 'DISPOSITION_NOTIFICATION')
  assert.equal(read?.originalMessageId, '<199509192301.23456@example.org>')
  assert.equal(read?.disposition, 'manual-action/MDN-sent-manually; displayed')
  assert.equal(read?.recipients[0]?.finalRecipient, 'Joe_Recipient@example.com')
})

test('a feedback report, as in RFC 5965 appendix B', () => {
  const { kind, report: read } = report(
    'message/feedback-report',
    [
      'Feedback-Type: Abuse',
      'User-Agent: SomeGenerator/1.0',
      'Version: 1',
      'Original-Rcpt-To: <user@example.com>',
      'Arrival-Date: Thu, 8 Mar 2005 14:00:00 EDT',
    ],
    'Message-ID: 8787KJKJ3K4J3K4J3K4J3.mail@example.net',
    '',
    'Spam Spam Spam',
  )
  assert.equal(kind, 'FEEDBACK_REPORT')
  assert.deepEqual(
    [read?.feedbackType, read?.originalMessageId, read?.recipients[0]?.originalRecipient],
    ['abuse', '<8787KJKJ3K4J3K4J3K4J3.mail@example.net>', 'user@example.com'],
  )
})

test('an auto-reply says so (RFC 3834); a subject alone says nothing', () => {
  const kind = (...header: string[]): string => read(...header, '', 'x').kind
  assert.equal(kind('Auto-Submitted: auto-replied'), 'AUTO_REPLY')
  assert.equal(kind('Auto-Submitted: Auto-Replied (vacation); owner-email="a@b"'), 'AUTO_REPLY')
  assert.equal(kind('X-Autoreply: yes'), 'AUTO_REPLY')
  assert.equal(kind('Auto-Submitted: auto-generated'), 'MESSAGE')
  assert.equal(kind('Auto-Submitted: no'), 'MESSAGE')
  assert.equal(kind('Precedence: bulk'), 'MESSAGE')
  assert.equal(kind('Subject: Out of office'), 'MESSAGE')
})

test('an invitation is a calendar message, a calendar file is a file', () => {
  const kind = (type: string): string => read(`Content-Type: ${type}`, '', 'BEGIN:VCALENDAR').kind
  assert.equal(kind('text/calendar; method=REQUEST'), 'CALENDAR')
  const file = [
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/calendar; name=a.ics',
    '',
    'x',
    '--b--',
  ]
  assert.equal(read(...file).kind, 'MESSAGE')
})

test('the groups of the recipients may be in base64, as a gateway leaves them', () => {
  const groups = Buffer.from(
    'Final-Recipient: rfc822; a@b.c\nAction: failed\n\nFinal-Recipient: rfc822; d@e.f\nAction: delayed',
  )
  const { kind, report: read } = report('message/delivery-status', [
    'Reporting-MTA: dns; mx.example.org',
    'Content-Transfer-Encoding: base64',
    '',
    groups.toString('base64'),
  ])
  assert.deepEqual(
    [kind, read?.recipients.map(({ finalRecipient, action }) => [finalRecipient, action])],
    [
      'BOUNCE',
      [
        ['a@b.c', 'failed'],
        ['d@e.f', 'delayed'],
      ],
    ],
  )
})
