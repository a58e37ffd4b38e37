import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeyedQueue } from '../../src/consumers/keyed-queue.ts'
import { Slots } from '../../src/consumers/slots.ts'

const queueOn = (slots: Slots, started: string[]) => {
  const ends: (() => void)[] = []
  const queue = new KeyedQueue<string>(slots, (name) => {
    started.push(name)
    return new Promise((resolve) => ends.push(resolve))
  })
  const finish = async () => {
    ends.shift()?.()
    await new Promise(setImmediate)
  }
  return { queue, finish }
}

describe('slots shared by queues', () => {
  it('bound what all of them run, and go round', async () => {
    const slots = new Slots(1)
    const started: string[] = []
    const one = queueOn(slots, started)
    const two = queueOn(slots, started)
    for (const name of ['a1', 'a2', 'a3']) one.queue.push(null, name)
    for (const name of ['b1', 'b2']) two.queue.push(null, name)
    assert.deepEqual(started, ['a1'])
    for (const queue of [one, one, two, one]) await queue.finish()
    assert.deepEqual(started, ['a1', 'a2', 'b1', 'a3', 'b2'])
  })

  it('pass by a queue that is held', async () => {
    const slots = new Slots(1)
    const started: string[] = []
    const [one, two, three] = [queueOn(slots, started), queueOn(slots, started), queueOn(slots, started)]
    one.queue.push(null, 'a')
    two.queue.push(null, 'b')
    three.queue.push(null, 'c')
    two.queue.hold()
    await one.finish()
    assert.deepEqual(started, ['a', 'c'])
    await three.finish()
    two.queue.release()
    assert.deepEqual(started, ['a', 'c', 'b'])
  })

  it('take back what has not started, the newest first, and keep the order of a key', async () => {
    const started: string[] = []
    const { queue, finish } = queueOn(new Slots(1), started)
    for (const name of ['1', '2', '3', '4']) queue.push('k', name)
    queue.push(null, '5')
    let left = queue.waiting
    const taken = queue.takeBack(
      () => left === 1,
      () => void (left -= 1),
    )
    assert.deepEqual(taken, ['3', '4', '5'])
    assert.equal(queue.waiting, 1)
    queue.push('k', '6')
    await finish()
    await finish()
    assert.deepEqual(started, ['1', '2', '6'])
  })
})
