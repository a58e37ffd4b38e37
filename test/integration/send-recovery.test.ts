/** Kafka goes away and comes back while mails are in flight: none is sent twice, and none is lost. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createKafka } from '../../src/kafka/connect.ts'
import { KafkaProxy } from '../support/kafka-proxy.ts'
import { startSending } from '../support/sending.ts'
import { testServers } from '../support/servers.ts'
import type { LogLine } from '../support/worker.ts'

/** GROUP_AUTHORIZATION_FAILED: kafkajs gives up at once what it tries for half a minute when the broker is away. */
const refuseGroup = (response: Buffer): Buffer => {
  response.writeInt16BE(30, response.length - 2)
  return response
}

void describe('sending while Kafka is away', { concurrency: 2 }, () => {
  void test('what was in flight when the consumer crashed is recorded once Kafka is back, and not sent again', async (t) => {
    const { brokers } = await testServers()
    const proxy = await KafkaProxy.start(t, brokers[0] ?? assert.fail())
    const sending = await startSending(t, {
      brokers: proxy.brokers,
      // The server says no more on a connection on which it stalls.
      smtp: { messagesPerConnection: 1 },
      script: ({ step, nth, connection }) =>
        step === 'END' && nth === 1 && connection === 1 ? { stall: true } : undefined,
    })
    const worker = await sending.startWorker()
    await sending.send({ id: 'in-flight' })
    await sending.server.reached('END')
    await proxy.next('Heartbeat', refuseGroup)
    proxy.down()
    await worker.seen(({ event, message }) => event === 'KafkaTrouble' && /authoriz/i.test(String(message)))
    const joined = worker.next(({ event }) => event === 'GroupJoined')
    proxy.up()
    for (const socket of sending.server.sockets) socket.write('250 2.0.0 Ok: queued\r\n')
    await joined
    await sending.send({ id: 'after' })
    const results = await sending.results(2)
    assert.deepEqual(results.map(({ id, status, attempt }) => `${id} ${status} ${attempt}`).sort(), [
      'after DELIVERED 1',
      'in-flight DELIVERED 1',
    ])
    assert.equal(sending.server.count('DATA'), 2, 'no mail was sent again')
    assert.equal(await worker.stop(), 0)
  })

  void test('requests that Kafka deleted before they were taken are told, and sending goes on behind them', async (t) => {
    const sending = await startSending(t)
    const { config } = sending
    const kafka = createKafka(config.kafka, { clientId: 'test', patience: 'worker', log: () => undefined })
    const admin = kafka.admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    const topic = config.kafka.topics.sendRequests
    const publish = async (...ids: string[]): Promise<void> => {
      for (const id of ids) await sending.cluster.send([await sending.record({ id }, { partition: 0 })])
    }
    const deleteBefore = (offset: number) =>
      admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] })
    const first = await sending.startWorker()
    await publish('taken')
    await sending.results(1)
    assert.equal(await first.stop(), 0)
    await publish('gone-1', 'gone-2', 'left')
    // kafkajs must have heard of the topic before it knows who leads it.
    await admin.fetchTopicOffsets(topic)
    await deleteBefore(3)
    const second = await sending.startWorker()
    const told = ({ event }: LogLine) => event === 'RecordsLost'
    const loss = await second.seen(told)
    assert.deepEqual(
      [loss['level'], loss['topic'], loss['partition'], loss['from'], loss['to'], loss['records']],
      [50, topic, 0, 1, 3, 2],
    )
    await sending.results(2)

    second.freeze()
    await publish('gone-3', 'gone-4')
    await deleteBefore(6)
    const again = second.next(told)
    second.thaw()
    // The fetch that was under way when it froze may have been answered with the first of them.
    const { from, to, records } = (await again) as { from?: number; to?: number; records?: number }
    assert.ok(from === 4 || from === 5)
    assert.deepEqual([to, records], [6, 6 - from])
    await publish('last')
    const results = await sending.results(from - 1)
    const sure = results.filter(({ id }) => id !== 'gone-3')
    assert.deepEqual(sure.map(({ id, status }) => `${id} ${status}`).sort(), [
      'last DELIVERED',
      'left DELIVERED',
      'taken DELIVERED',
    ])
    assert.equal(await second.stop(), 0)
  })
})
