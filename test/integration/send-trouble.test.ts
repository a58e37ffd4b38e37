/** One account's trouble, and a worker that has to stop in the middle of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ofRequest, startSending } from '../support/sending.ts'
import { startScriptServer, usualExtensions } from '../support/smtp-script-server.ts'

const stallMs = 21_000

const other = (port: number) => ({
  other: { smtp: { host: '127.0.0.1', port, security: 'none', from: 'other@example.com' } },
})

void describe('sending in trouble', { concurrency: 3 }, () => {
  void test('an account that is refused is paused aloud, loses nothing, and goes on when it is accepted', async (t) => {
    let refuses = true
    const sending = await startSending(t, {
      extensions: [...usualExtensions, 'AUTH PLAIN'],
      script: ({ step }) => (step === 'AUTH' && refuses ? { reply: '535 5.7.8 bad credentials' } : undefined),
      smtp: { auth: { user: 'u', password: 'hunter2' }, allowPlaintextAuth: true },
      settings: { send: { retry: { tiers: ['1s'], maxAge: '1h' } } },
    })
    const worker = await sending.startWorker()
    const ids = Array.from({ length: 5 }, (_, index) => `p-${index}`)
    await sending.send(...ids.map((id) => ({ id })))
    const paused = await worker.seen(({ event }) => event === 'AccountPaused')
    assert.deepEqual([paused['account'], paused['code'], paused['level']], ['main', 'SMTP_AUTHENTICATION_FAILED', 50])
    assert.ok(paused['action'])
    assert.doesNotMatch(JSON.stringify(worker.log), /hunter2/)
    const [first] = await sending.results(5)
    assert.deepEqual([first?.status, first?.error?.code], ['DEFERRED', 'SMTP_AUTHENTICATION_FAILED'])
    refuses = false
    await worker.seen(({ event }) => event === 'AccountResumed')
    const results = await sending.delivered(5)
    assert.equal(await worker.stop(), 0)
    for (const id of ids) {
      const [last, ...before] = ofRequest(results, id).toReversed()
      assert.equal(last?.status, 'DELIVERED')
      assert.equal(last?.attempt, before.length + 1)
      assert.ok(before.every(({ status }) => status === 'DEFERRED'))
    }
  })

  void test('an account whose server stalls does not hold up another behind thousands of its requests', async (t) => {
    const healthy = await startScriptServer(t)
    const sending = await startSending(t, {
      script: ({ step }) => (step === 'END' ? { stall: true } : undefined),
      accounts: other(healthy.port),
      settings: { send: { concurrency: 4, retry: { tiers: ['1h'], maxAge: '2h' } } },
    })
    // All in one partition, the healthy one's last.
    const place = { key: null, partition: 0 }
    const stuck = await Promise.all(
      Array.from({ length: 3_000 }, (_, index) =>
        sending.record({ id: `s-${index}` }, { key: `s-${index}`, partition: 0 }),
      ),
    )
    await sending.cluster.send(stuck)
    await sending.cluster.send([await sending.record({ id: 'free', account: 'other' }, { ...place, key: 'free' })])
    const worker = await sending.startWorker()
    const [result] = await sending.results(1)
    assert.deepEqual([result?.id, result?.status], ['free', 'DELIVERED'])
    assert.equal(await worker.stop(), 0)
  })

  void test('SIGTERM ends the worker within 20 s though the server stalls behind the final dot', async (t) => {
    const sending = await startSending(t, {
      script: ({ step }) => (step === 'END' ? { stall: true } : undefined),
      smtp: { connections: 2 },
    })
    const worker = await sending.startWorker()
    await sending.send({ id: 'most', delivery: 'AT_MOST_ONCE' }, { id: 'least' }, { id: 'waiting' })
    await sending.server.reached('END', 2)
    const from = performance.now()
    assert.equal(await worker.stop(), 0)
    assert.ok(performance.now() - from < 20_000)
    const results = await sending.allResults()
    const statusOf = (id: string) => ofRequest(results, id).map(({ status }) => status)
    const begun = new Set(sending.server.lines.filter((line) => line.startsWith('RCPT')))
    assert.equal(begun.size, 1)
    for (const { id, status, error } of results) {
      assert.equal(status, id === 'most' ? 'INDETERMINATE' : 'DEFERRED')
      assert.equal(error?.code, 'SMTP_OUTCOME_UNKNOWN')
    }
    assert.equal(results.length, 2)
    assert.ok(
      ['most', 'least', 'waiting'].some((id) => statusOf(id).length === 0),
      'what was not begun says nothing',
    )
  })

  void test('a server that stalls for several session timeouts costs no rebalance, also while nothing more is taken', async (t) => {
    const count = 600
    const sending = await startSending(t, {
      script: ({ step, nth, connection }) =>
        step === 'END' && nth === 1 && connection === 1 ? { stall: true } : undefined,
      smtp: { connections: 1 },
    })
    assert.ok(stallMs > 3 * sending.config.kafka.sessionTimeoutMs)
    // All in one partition: more than it takes in advance.
    const place = { key: null, partition: 0 }
    const records = Array.from({ length: count }, (_, index) =>
      sending.record({ id: `r-${index}` }, { ...place, key: `r-${index}` }),
    )
    await sending.cluster.send(await Promise.all(records))
    const worker = await sending.startWorker()
    await sending.server.reached('END')
    await delay(stallMs)
    for (const socket of sending.server.sockets) socket.end('250 2.0.0 Ok: queued\r\n')
    const results = await sending.delivered(count)
    assert.equal(worker.log.filter(({ event }) => event === 'GroupJoined').length, 1)
    assert.deepEqual(
      worker.log.filter(({ event }) => event === 'KafkaTrouble'),
      [],
    )
    assert.deepEqual([results.length, sending.server.count('DATA')], [count, count], 'each was sent once')
    assert.equal(await worker.stop(), 0)
  })
})
