import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSending } from '../support/sending.ts'

const count = 80

test('a rebalance leaves to the next owner what waits for a connection: a stalled server makes no mail go twice', async (t) => {
  const sending = await startSending(t, {
    script: ({ step, nth, connection }) =>
      step === 'END' && nth === 1 && connection === 1 ? { stall: true } : undefined,
    smtp: { connections: 1 },
  })
  const first = await sending.startWorker()
  // Its partition stays where it is, as the assignment has it: the lowest go last.
  await sending.cluster.send([await sending.record({ id: 'stalled' }, { partition: 0 })])
  await sending.server.reached('END')
  await sending.send(...Array.from({ length: count }, (_, index) => ({ id: `r-${index}` })))
  const halved = first.next(({ event, partitions }) => event === 'GroupJoined' && String(partitions) === '0,1')
  const second = await sending.startWorker()
  await halved
  // What the second worker has got goes over a connection of its own.
  await sending.results(1)
  const [stalled] = sending.server.sockets
  stalled?.end('250 2.0.0 Ok: queued\r\n')
  const results = await sending.delivered(count + 1)
  assert.deepEqual([await first.stop(), await second.stop()], [0, 0])
  assert.equal(results.length, count + 1)
  assert.equal(sending.server.count('DATA'), count + 1)
  assert.ok([...first.log, ...second.log].every(({ event }) => event !== 'DeliveriesAbandoned'))
})
