/** A request id is sent once, wherever and whenever it is published again. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headerOf } from '../support/kafka.ts'
import { header } from '../../src/kafka/records.ts'
import { ofRequest, startSending } from '../support/sending.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

void describe('sending', { concurrency: 3 }, () => {
  void test('an id without a key is sent once though its copies lie in all partitions, at once and after a restart', async (t) => {
    const sending = await startSending(t)
    const ids = Array.from({ length: 10 }, (_, index) => `id-${index}`)
    const copies = await Promise.all(
      ids.flatMap((id) => [0, 1, 2, 3].map((partition) => sending.record({ id }, { key: null, partition }))),
    )
    await sending.cluster.send(copies.map((record) => ({ ...record, headers: [header('traceparent', traceparent)] })))
    const first = await sending.startWorker()
    await sending.results(40)
    await first.kill()
    await sending.cluster.send(await Promise.all(ids.map((id) => sending.record({ id }, { key: null, partition: 1 }))))
    const second = await sending.startWorker()
    const results = await sending.results(50)
    assert.equal(await second.stop(), 0)

    assert.equal(sending.server.mails.length, 10)
    const answered = new Set<string>()
    for (const id of ids) {
      const [own, ...others] = ofRequest(results, id).toSorted((a) => (a.status === 'DELIVERED' ? -1 : 1))
      assert.equal(own?.status, 'DELIVERED')
      assert.deepEqual(
        others.map(({ status, messageId }) => [status, messageId]),
        Array.from({ length: 4 }, () => ['DUPLICATE', own?.messageId]),
      )
      for (const { topic, partition, offset } of [own, ...others]) answered.add(`${topic}/${partition}/${offset}`)
    }
    assert.equal(answered.size, 50, 'each result answers a record of its own')
    assert.ok([...answered].every((source) => source.startsWith(`${sending.config.kafka.topics.sendRequests}/`)))
    const records = await sending.cluster.readAll(sending.config.kafka.topics.sendResults)
    assert.equal(records.filter((record) => headerOf(record, 'traceparent') === traceparent).length, 40)
  })

  void test('two copies in flight are one mail, and so are those of a request that waits for its next try or its time', async (t) => {
    let refusals = 0
    const sending = await startSending(t, {
      script: ({ step, line }) =>
        step === 'RCPT' && line.includes('busy') && (refusals += 1) === 1
          ? { reply: '450 4.2.0 come again' }
          : undefined,
    })
    const worker = await sending.startWorker()
    const sendAt = Date.now() + 4_000
    await sending.send(
      { id: 'twice' },
      { id: 'twice' },
      { id: 'deferred', to: ['busy@example.com'] },
      { id: 'deferred', to: ['busy@example.com'] },
      { id: 'timed', sendAt },
      { id: 'timed', sendAt },
    )
    const results = await sending.results(7)
    const statuses = (id: string) =>
      ofRequest(results, id)
        .map(({ status }) => status)
        .sort()
    assert.deepEqual(statuses('twice'), ['DELIVERED', 'DUPLICATE'])
    assert.deepEqual(statuses('deferred'), ['DEFERRED', 'DELIVERED', 'DUPLICATE'])
    assert.deepEqual(statuses('timed'), ['DELIVERED', 'DUPLICATE'])
    const timed = results.find(({ id, status }) => id === 'timed' && status === 'DELIVERED')
    assert.ok((timed?.completedAt ?? 0) >= sendAt)
    assert.equal(await worker.stop(), 0)
    assert.equal(sending.server.mails.length, 3)
  })

  void test('mails of one key go in the order of their requests; the others do not wait for them', async (t) => {
    const sending = await startSending(t, { smtp: { connections: 4 } })
    const keyed = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        sending.record({ id: `o-${index}`, subject: `${index % 3} ${index}` }, { key: `key-${index % 3}` }),
      ),
    )
    await sending.cluster.send(keyed)
    const worker = await sending.startWorker()
    await sending.results(60)
    assert.equal(await worker.stop(), 0)
    const subjects = sending.server.mails.map(({ content }) => /^Subject: (\d) (\d+)/m.exec(content) ?? assert.fail())
    for (const key of ['0', '1', '2']) {
      const order = subjects.filter(([, of]) => of === key).map(([, , index]) => Number(index))
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      )
      assert.equal(order.length, 20)
    }
  })
})
