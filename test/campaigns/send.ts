/**
 * `npm run campaign:send -- --kills 200 --requests 20000 --seed 1`: the kill campaign at length, on a Kafka of its own.
 * `--shards` deployments share the work side by side, since each kill costs its group a session timeout. With
 * `--victim broker --shards 1 --outage 40` it is the broker that is killed, and that stays away for so many seconds.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Supervisor } from '../../src/embedded/supervisor.ts'
import { startOwnBroker } from '../support/own-broker.ts'
import { runSendCampaign } from './send-campaign.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    shards: { type: 'string', default: '4' },
    workers: { type: 'string', default: '2' },
    victim: { type: 'string', default: 'worker' },
    outage: { type: 'string', default: '0' },
  },
})
const [kills, requests, seed, shards, workers] = [
  Number(values.kills),
  Number(values.requests),
  Number(values.seed),
  Number(values.shards),
  Number(values.workers),
]
const say = (text: string): void => void process.stdout.write(`${text}\n`)

const folder = await mkdtemp(join(tmpdir(), 'posthorn-campaign-'))
const supervisor = new Supervisor()
try {
  const broker = await startOwnBroker(supervisor, join(folder, 'kafka'), say)
  const outageMs = Number(values.outage) * 1_000
  const restartBroker = values.victim === 'broker' ? { restartBroker: () => broker.restart(outageMs) } : {}
  const startedAt = performance.now()
  let done = 0
  const onKill = (): void => {
    done += 1
    if (kills < 20 || done % 20 === 0) say(`${done} of ${kills} kills`)
  }
  const share = (all: number, shard: number): number => Math.floor(all / shards) + (shard < all % shards ? 1 : 0)
  const verdicts = await Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const own = join(folder, String(shard))
      await mkdir(own)
      return runSendCampaign({
        ...restartBroker,
        brokers: broker.brokers,
        folder: own,
        name: `shard-${shard}`,
        requests: share(requests, shard),
        kills: share(kills, shard),
        seed: seed + shard,
        workers,
        onKill,
      })
    }),
  )
  const sum = (of: (verdict: (typeof verdicts)[number]) => number): number =>
    verdicts.reduce((total, verdict) => total + of(verdict), 0)
  const violations = verdicts.flatMap((verdict) => verdict.violations)
  for (const violation of violations) say(`VIOLATED ${violation}`)
  say(`kills                         ${kills}`)
  say(`requests                      ${sum((one) => one.requests)}`)
  say(`mails delivered               ${sum((one) => one.deliveries)}`)
  say(`requests lost                 ${violations.length === 0 ? 0 : 'see above'}`)
  say(`mails repeated                ${sum((one) => one.repeated)}`)
  say(`  by one kill, at most        ${Math.max(...verdicts.map((one) => one.repeatedByOneKill))} (16 in flight)`)
  say(`AT_MOST_ONCE, INDETERMINATE   ${sum((one) => one.indeterminate)}`)
  say(`seconds                       ${Math.round((performance.now() - startedAt) / 1_000)}`)
  process.exitCode = violations.length === 0 ? 0 : 1
} finally {
  await supervisor.close()
  await rm(folder, { recursive: true, force: true })
}
