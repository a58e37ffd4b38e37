import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Supervisor } from '../../src/embedded/supervisor.ts'
import { runSendCampaign } from '../campaigns/send-campaign.ts'
import { startOwnBroker } from '../support/own-broker.ts'

test('a broker that is killed in the middle of sending costs no request its result, and repeats no mail', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-campaign-'))
  const supervisor = new Supervisor()
  t.after(async () => {
    await supervisor.close()
    await rm(folder, { recursive: true, force: true })
  })
  const broker = await startOwnBroker(supervisor, join(folder, 'kafka'))
  const verdict = await runSendCampaign({
    brokers: broker.brokers,
    folder,
    name: 'broker-kills',
    requests: 600,
    kills: 1,
    seed: 11,
    workers: 2,
    restartBroker: () => broker.restart(0),
  })
  assert.deepEqual(verdict.violations, [])
  assert.deepEqual([verdict.requests, verdict.repeated], [600, 0])
})
