/** The short form of `npm run campaign:receive`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCampaign } from '../../bench/receive/campaign.ts'
import { testDovecot } from '../support/dovecot.ts'

test('workers killed at random while mail arrives publish each message once and leave nothing undone', async (t) => {
  const options = { kills: 4, messages: 200, lanes: 2, seed: 7, onProgress: () => undefined }
  const figures = await runCampaign(t, await testDovecot(), options)
  const { messages, lost, repeated, damagedObjects, deadLetters, undoneAfterRead, objects } = figures
  assert.deepEqual(
    { messages, lost, repeated, damagedObjects, deadLetters, undoneAfterRead },
    { messages: 200, lost: 0, repeated: 0, damagedObjects: 0, deadLetters: 0, undoneAfterRead: 0 },
  )
  assert.ok(objects > 40)
})
