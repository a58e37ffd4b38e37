import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSending } from '../support/sending.ts'

const count = 300

test('a worker that was frozen until another had taken over commits nothing of what it had in flight', async (t) => {
  const sending = await startSending(t)
  const frozen = await sending.startWorker()
  const joined = await frozen.seen(({ event }) => event === 'GroupJoined')
  await sending.send(...Array.from({ length: count }, (_, index) => ({ id: `r-${index}` })))
  await sending.server.reached('END', 50)
  frozen.freeze()

  const successor = await sending.startWorker()
  await sending.delivered(count)
  frozen.thaw()
  // With the replies in its sockets it would have results for what its successor has sent again.
  await frozen.seen((entry) => entry.event === 'GroupJoined' && entry !== joined)

  const results = await sending.allResults()
  assert.deepEqual(
    results.map(({ id, status }) => `${id} ${status}`).sort(),
    Array.from({ length: count }, (_, index) => `r-${index} DELIVERED`).sort(),
  )
  const repeated = sending.server.mails.length - count
  assert.ok(repeated <= sending.config.send.concurrency, `${repeated} mails were repeated`)
  assert.equal(await successor.stop(), 0)
  assert.equal(await frozen.stop(), 0)
})
