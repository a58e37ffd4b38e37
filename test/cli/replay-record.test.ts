import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replayOf } from '../../src/cli/replay-record.ts'
import { compile, withSections } from '../config/support.ts'

test('whatever send topic a dead letter came from, its request is published anew', () => {
  const { kafka } = compile(withSections(''))
  const record = { topic: 'd', partition: 0, offset: 0, timestamp: 0, key: null, value: Buffer.from('v'), headers: [] }
  for (const topic of ['mail.send.requests', 'mail.send.steps', 'mail.send.retries.1m']) {
    const replay = replayOf(record, `${topic}/0/7`, kafka, ['mail.send.retries.1m'], 'id')
    assert.equal(replay.topic, 'mail.send.requests')
  }
  assert.throws(() => replayOf(record, 'another/0/7', kafka, [], 'id'), /does not read/)
})
