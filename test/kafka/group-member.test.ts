import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Admin, Kafka } from 'kafkajs'
import { GroupMember } from '../../src/kafka/group-member.ts'
import type { PartitionContext, PartitionOwner } from '../../src/kafka/partition-owner.ts'

const owner: PartitionOwner = {
  awaited: [],
  replay: () => undefined,
  begin: () => undefined,
  accept: () => undefined,
  drain: async () => undefined,
  resume: () => undefined,
  release: async () => undefined,
}

/** A consumer that, as that of kafkajs does, refuses to pause and resume where it does not run. */
const createKafka = () => {
  const listeners = new Map<string, (event: object) => void>()
  let isRunning = false
  const ifRunning = (): void => assert.ok(isRunning, 'the consumer does not run')
  const consumer = {
    events: { GROUP_JOIN: 'join', HEARTBEAT: 'heartbeat', REBALANCING: 'rebalancing', STOP: 'stop', CRASH: 'crash' },
    on: (name: string, listener: (event: object) => void) => listeners.set(name, listener),
    connect: async () => undefined,
    subscribe: async () => undefined,
    run: async () => void (isRunning = true),
    disconnect: async () => undefined,
    pause: ifRunning,
    resume: ifRunning,
    seek: ifRunning,
  }
  const producer = { connect: () => Promise.reject(new Error('no broker')), disconnect: async () => undefined }
  return {
    kafka: { consumer: () => consumer, producer: () => producer } as unknown as Kafka,
    join: (memberAssignment: Record<string, number[]>) =>
      listeners.get('join')?.({ payload: { memberId: 'm', memberAssignment } }),
    stop: () => {
      isRunning = false
      listeners.get('stop')?.({})
    },
  }
}

test('between the end of its consumer and the news of the crash a member only remembers what flows', async (t) => {
  const { kafka, join, stop } = createKafka()
  const contexts: PartitionContext[] = []
  const member = new GroupMember({
    kafka,
    admin: {} as Admin,
    groupId: 'g',
    inputTopics: ['in'],
    stateTopic: 'state',
    sessionTimeoutMs: 6_000,
    createOwner: (context) => {
      contexts.push(context)
      return owner
    },
    events: {
      joined: () => undefined,
      partitionReady: () => undefined,
      trouble: () => undefined,
      lost: () => undefined,
    },
  })
  t.after(() => member.stop())
  await member.start()
  join({ in: [0], state: [0] })
  const [context] = contexts
  context?.pause('in')
  stop()
  assert.doesNotThrow(() => context?.resume('in'))
  assert.deepEqual(member.awaited, [{ what: 'group', group: 'g' }])
})
