/** Kafka goes away and comes back while mails are in flight: none is sent twice, and none is lost. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaProxy } from '../support/kafka-proxy.ts'
import { startSending } from '../support/sending.ts'
import { testServers } from '../support/servers.ts'

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
})
