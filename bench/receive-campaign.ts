/**
 * `npm run campaign:receive -- --kills 200 --messages 20000 --seed 1`: see `receive/campaign.ts`. Prints its figures as
 * JSON; exit code 1 where anything was lost, repeated, damaged or left undone. Uses the servers of
 * POSTHORN_TEST_SERVERS, or starts its own.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Releasers } from '../src/lifecycle.ts'
import { startDovecot } from '../test/support/dovecot-server.ts'
import { runCampaign } from './receive/campaign.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    messages: { type: 'string', default: '20000' },
    lanes: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
  },
})

const releasers = new Releasers()
try {
  if (process.env['POSTHORN_TEST_SERVERS'] === undefined) {
    const script = (name: string) => import(new URL(`../scripts/${name}`, import.meta.url).href)
    ;((await script('bootstrap.mjs')) as { bootstrap: () => void }).bootstrap()
    const { startSharedServers } = (await script('shared-servers.mjs')) as {
      startSharedServers: () => Promise<{ env: Record<string, string>; stop: () => Promise<void> }>
    }
    const servers = await startSharedServers()
    releasers.add(servers.stop)
    Object.assign(process.env, servers.env)
  }
  const dovecot = await startDovecot({})
  releasers.add(() => dovecot.release())
  const scope = { after: (release: () => unknown) => releasers.add(async () => void (await release())) }
  const figures = await runCampaign(scope, dovecot, {
    kills: Number(values.kills),
    messages: Number(values.messages),
    lanes: Number(values.lanes),
    seed: Number(values.seed),
    onProgress: (text) => process.stderr.write(`campaign: ${text}\n`),
  })
  process.stdout.write(`${JSON.stringify({ seed: Number(values.seed), ...figures })}\n`)
  const { lost, repeated, damagedObjects, deadLetters, undoneAfterRead } = figures
  if (lost + repeated + damagedObjects + deadLetters + undoneAfterRead > 0) process.exitCode = 1
} finally {
  await releasers.releaseAll()
}
