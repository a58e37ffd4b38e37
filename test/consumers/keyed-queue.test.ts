import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeyedQueue } from '../../src/consumers/keyed-queue.ts'
import { Slots } from '../../src/consumers/slots.ts'

interface Job {
  name: string
  done: { promise: Promise<void>; resolve(): void }
}

/** Starts jobs by hand, so that a test sees exactly what runs at a moment. */
const harness = (limit: number) => {
  const started: string[] = []
  const jobs = new Map<string, Job>()
  const queue = new KeyedQueue<Job>(new Slots(limit), (job) => {
    started.push(job.name)
    return job.done.promise
  })
  const push = (name: string, key: string | null = null) => {
    let resolve = () => {}
    const promise = new Promise<void>((yes) => {
      resolve = yes
    })
    const job = { name, done: { promise, resolve } }
    jobs.set(name, job)
    queue.push(key, job)
  }
  const finish = async (name: string) => {
    jobs.get(name)?.done.resolve()
    await new Promise(setImmediate)
  }
  return { queue, push, finish, started }
}

describe('KeyedQueue', () => {
  it('runs items of one key one after another, in order, and others beside them', async () => {
    const { push, finish, started } = harness(4)
    push('a1', 'a')
    push('a2', 'a')
    push('b1', 'b')
    push('free')
    assert.deepEqual(started, ['a1', 'b1', 'free'])
    await finish('a1')
    assert.deepEqual(started, ['a1', 'b1', 'free', 'a2'])
  })

  it('keeps to the limit', async () => {
    const { push, finish, started } = harness(2)
    for (const name of ['one', 'two', 'three']) push(name)
    assert.deepEqual(started, ['one', 'two'])
    await finish('two')
    assert.deepEqual(started, ['one', 'two', 'three'])
  })

  it('starts nothing while it is held and goes on after its release', async () => {
    const { queue, push, finish, started } = harness(2)
    push('one', 'k')
    push('two', 'k')
    queue.hold()
    await finish('one')
    await queue.whenIdle()
    assert.deepEqual(started, ['one'])
    queue.release()
    assert.deepEqual(started, ['one', 'two'])
  })

  it('is idle only when the last running item has finished', async () => {
    const { queue, push, finish } = harness(2)
    push('one')
    push('two')
    let idle = false
    const waiting = queue.whenIdle().then(() => {
      idle = true
    })
    await finish('one')
    assert.equal(idle, false)
    await finish('two')
    await waiting
    assert.equal(idle, true)
    assert.equal(queue.running, 0)
  })

  it('remembers no key once its items are done', async () => {
    const { push, finish, started } = harness(1)
    push('one', 'k')
    await finish('one')
    push('two', 'k')
    assert.deepEqual(started, ['one', 'two'])
  })
})
