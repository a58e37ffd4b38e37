import assert from 'node:assert/strict'
import { test } from 'node:test'

import { deriveMessageId } from '../../src/mail/compose/message-id.ts'
import { requestOf } from '../../src/producers/match-report.ts'

const requestId = '5c8f3d52-6f0a-4a7e-9f5d-0d8c54a1b7aa'
const messageId = deriveMessageId('support', requestId, 'example.com')

const report = (originalEnvelopeId: string | null, originalMessageId: string | null) => ({
  originalEnvelopeId,
  originalMessageId,
  reportingMta: null,
  disposition: null,
  feedbackType: null,
  recipients: [],
})

test('a report that names the envelope id and the Message-ID of one mail is tied to its request', () => {
  assert.equal(requestOf(report(requestId, messageId), ['other', 'support']), requestId)
})

test('a forged report is not: a wrong pair, an invented id, or half of what a mail carries proves nothing', () => {
  const other = deriveMessageId('support', 'another request', 'example.com')
  assert.equal(requestOf(report(requestId, other), ['support']), null)
  assert.equal(requestOf(report(requestId, '<invented@example.com>'), ['support']), null)
  assert.equal(requestOf(report(requestId, messageId), ['sales']), null)
  assert.equal(requestOf(report(null, messageId), ['support']), null)
  assert.equal(requestOf(report(requestId, null), ['support']), null)
  assert.equal(requestOf(report('', ''), ['support']), null)
})
