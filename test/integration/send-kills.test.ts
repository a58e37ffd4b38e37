import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runSendCampaign } from '../campaigns/send-campaign.ts'
import { testServers, uniqueName } from '../support/servers.ts'

test('every request has one final result and every mail a request, whenever workers are killed', async (t) => {
  const { brokers } = await testServers()
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-campaign-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const name = uniqueName('kills')
  const verdict = await runSendCampaign({ brokers, folder, name, requests: 400, kills: 3, seed: 7, workers: 2 })
  assert.deepEqual(verdict.violations, [])
  assert.equal(verdict.requests, 400)
})
