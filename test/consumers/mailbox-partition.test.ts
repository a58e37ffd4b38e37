import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { Backoff } from '../../src/backoff.ts'
import { MailboxPartition, type MailboxHost } from '../../src/consumers/mailbox-partition.ts'
import { PosthornError } from '../../src/errors.ts'
import type { Positions } from '../../src/kafka/partition-ledger.ts'
import type { ConsumedRecord, OutgoingRecord } from '../../src/kafka/records.ts'
import { firstCheckpoint } from '../../src/producers/checkpoint.ts'
import { codec } from '../support/kafka.ts'

const record = (offset: number, key: string, value: Buffer | null = null, topic = 'commands'): ConsumedRecord => {
  return { topic, partition: 2, offset, timestamp: 0, key: Buffer.from(key), value, headers: [] }
}

/** A partition whose commands do what the test says, on a ledger that remembers. */
class Scene extends EventEmitter {
  readonly committed: OutgoingRecord[] = []
  readonly flow: string[] = []
  /** Offset of each command as it is carried out, and whether it may wait. */
  readonly runs: [number, boolean][] = []
  readonly partition: MailboxPartition
  positions: Positions = new Map()
  host: MailboxHost | null = null
  onCommand: (offset: number, mayWait: boolean) => Promise<void> = async () => undefined

  constructor() {
    super()
    const context = {
      partition: 2,
      ledger: {
        partition: 2,
        commit: async (records: readonly OutgoingRecord[], positions: Positions) => {
          this.committed.push(...records)
          this.positions = positions
          setImmediate(() => this.emit('step'))
        },
      },
      pause: (topic: string) => void this.flow.push(`pause ${topic}`),
      resume: (topic: string) => void this.flow.push(`resume ${topic}`),
      rejoin: (reason: PosthornError) => void this.flow.push(`rejoin ${reason.code}`),
      isLeaseFresh: () => true,
    }
    this.partition = new MailboxPartition(context, {
      commandsTopic: 'commands',
      codec,
      openAccounts: (host) => {
        this.host = host
        this.emit('step')
        return { start: () => undefined, awaited: [], stop: async () => undefined }
      },
      settleCommand: async ({ offset, topic }, _host, _attempt, mayWait) => {
        this.runs.push([offset, mayWait])
        await this.onCommand(offset, mayWait)
        return { records: [{ topic: 'results', key: `${offset}`, value: null }], source: { topic, offset } }
      },
      replaceTooLarge: (one) => one,
      newBackoff: () => new Backoff({ firstMs: 1, maxMs: 1, random: () => 0 }),
      onTrouble: () => this.emit('step'),
    })
  }

  async settled(count: number): Promise<void> {
    while (this.committed.length < count) await once(this, 'step')
  }
}

const unreachable = new PosthornError('IMAP_UNREACHABLE', 'no', { stage: 'connect', retryable: true })

test('checkpoints and plans of earlier owners are there before anything is looked at', async () => {
  const scene = new Scene()
  const checkpoint = firstCheckpoint('a', 'INBOX', { at: 'earliest' }, { uidValidity: 1, highestUid: 0 }, 1)
  const plan = { uidValidity: 1, uids: [], missing: 0, toFolder: null, toUidNext: null, fingerprints: {} }
  scene.partition.replay(record(0, 'a/INBOX', await codec.encode('Checkpoint', checkpoint, 'state'), 'state'))
  scene.partition.replay(record(1, '#command/7', Buffer.from(JSON.stringify(plan)), 'state'))
  scene.partition.replay(record(2, '#command/8', Buffer.from(JSON.stringify(plan)), 'state'))
  scene.partition.replay(record(3, '#command/8', null, 'state'))
  scene.partition.begin(new Map())
  while (scene.host === null) await once(scene, 'step')
  assert.deepEqual([...scene.host.checkpoints.keys()], ['a/INBOX'])
  assert.deepEqual([...scene.host.plans], [[7, plan]])
  await scene.partition.release()
})

test('an account whose server is down keeps its own commands back, in order, and no other', async () => {
  const scene = new Scene()
  let isDown = true
  scene.onCommand = async (offset) => {
    if (isDown && offset < 2) throw unreachable
  }
  scene.partition.begin(new Map())
  scene.partition.accept([record(0, 'dead'), record(1, 'dead'), record(2, 'alive'), record(3, 'alive')])
  await scene.settled(2)
  assert.deepEqual(
    scene.committed.map(({ key }) => key),
    ['2', '3'],
  )
  assert.equal(scene.positions.get('commands')?.offset, 0)
  assert.equal(
    scene.runs.some(([offset]) => offset === 1),
    false,
    'not before the one ahead of it',
  )
  isDown = false
  await scene.settled(4)
  assert.deepEqual(
    scene.committed.map(({ key }) => key),
    ['2', '3', '0', '1'],
  )
  await scene.partition.release()
})

test('where very many commands wait, a server that is down is not waited for', async () => {
  const scene = new Scene()
  scene.onCommand = async (_offset, mayWait) => {
    if (mayWait) throw unreachable
  }
  scene.partition.begin(new Map())
  scene.partition.accept(Array.from({ length: 800 }, (_, offset) => record(offset, 'dead')))
  await scene.settled(400)
  assert.deepEqual(scene.flow.slice(0, 1), ['pause commands'])
  scene.onCommand = async () => undefined
  await scene.settled(800)
  assert.ok(scene.flow.includes('resume commands'))
  assert.deepEqual(
    scene.committed.map(({ key }) => Number(key)),
    Array.from({ length: 800 }, (_, offset) => offset),
  )
  await scene.partition.release()
})

test('a rebalance waits for the command that is being carried out, and begins no other', async () => {
  const scene = new Scene()
  let finish: () => void = () => undefined
  scene.onCommand = () => new Promise((resolve) => (finish = resolve))
  scene.partition.begin(new Map())
  scene.partition.accept([record(0, 'a'), record(1, 'a')])
  while (scene.runs.length === 0) await new Promise(setImmediate)
  let isDrained = false
  const drained = scene.partition.drain(new AbortController().signal).then(() => (isDrained = true))
  await new Promise(setImmediate)
  assert.equal(isDrained, false)
  finish()
  await drained
  await scene.settled(1)
  assert.equal(scene.runs.length, 1)
  scene.partition.resume()
  while (scene.runs.length === 1) await new Promise(setImmediate)
  finish()
  await scene.settled(2)
  await scene.partition.release()
})
