import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { mixedMail } from '../../bench/receive/workload.ts'
import { parseMessage } from '../../src/mail/parse/parse-message.ts'
import { defaultParseLimits } from '../../src/mail/parse/limits.ts'
import { parsers } from '../support/parsers.ts'

const count = 200

test('the mail of the benchmarks is read as the parser of record reads it, every message', async () => {
  const { mailparser, Posthorn } = parsers
  assert.ok(mailparser && Posthorn)
  let withAttachment = 0
  for (const { raw, messageId, sha256 } of mixedMail(count, 1)) {
    const seen = await Posthorn(raw)
    assert.deepEqual(seen, await mailparser(raw))
    assert.equal(seen.messageId, messageId)
    const [attachment] = parseMessage(raw, defaultParseLimits).attachments
    const hash = attachment === undefined ? null : createHash('sha256').update(attachment.content).digest('hex')
    assert.equal(hash, sha256)
    if (sha256 !== null) withAttachment += 1
  }
  assert.equal(withAttachment, count / 5)
})

test('a seed gives the same mail each time', () => {
  const digest = (seed: number): string => {
    const hash = createHash('sha256')
    for (const { raw } of mixedMail(40, seed)) hash.update(raw)
    return hash.digest('hex')
  }
  assert.equal(digest(7), digest(7))
  assert.notEqual(digest(7), digest(8))
})
