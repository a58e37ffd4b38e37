import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it, type TestContext } from 'node:test'
import { quietRequestQueue } from '../../src/kafka/quiet-request-queue.ts'

interface Queue {
  throttledUntil: number
  push(request: { entry: object; expectResponse: boolean; sendRequest: () => void }): void
  fulfillRequest(response: { correlationId: number; payload: null; size: number }): void
  maybeThrottle(ms: number): void
  destroy(): void
}

const log = { debug: () => undefined, warn: () => undefined }

const createQueue = (t: TestContext, maxInFlightRequests: number | null) => {
  quietRequestQueue()
  const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as new (o: object) => Queue
  const queue = new RequestQueue({
    maxInFlightRequests,
    clientId: 't',
    broker: 'b',
    logger: log,
    requestTimeout: 1_000,
  })
  t.after(() => queue.destroy())
  const sent: number[] = []
  const push = (correlationId: number) =>
    queue.push({
      entry: { correlationId, resolve: () => undefined, reject: () => undefined },
      expectResponse: true,
      sendRequest: () => sent.push(correlationId),
    })
  const answer = (correlationId: number) => queue.fulfillRequest({ correlationId, payload: null, size: 0 })
  return { queue, sent, push, answer }
}

describe('a request queue of kafkajs', () => {
  it('sets no timer when nothing is pending', (t) => {
    const { push, answer } = createQueue(t, null)
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 })
    const timers = t.mock.method(globalThis, 'setTimeout')
    push(1)
    answer(1)
    assert.equal(timers.mock.callCount(), 0)
  })

  it('sends what waits for others in flight when one of them is answered', (t) => {
    const { sent, push, answer } = createQueue(t, 1)
    push(1)
    push(2)
    push(3)
    assert.deepEqual(sent, [1])
    answer(1)
    assert.deepEqual(sent, [1, 2])
    answer(2)
    assert.deepEqual(sent, [1, 2, 3])
  })

  it('sends what a throttle held back when its time is over', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 })
    const { queue, sent, push } = createQueue(t, null)
    queue.maybeThrottle(500)
    push(1)
    t.mock.timers.tick(499)
    assert.deepEqual(sent, [])
    t.mock.timers.tick(1)
    assert.deepEqual(sent, [1])
  })
})
