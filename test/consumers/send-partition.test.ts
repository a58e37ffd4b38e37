import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { RequestLog } from '../../src/consumers/request-log.ts'
import { firstHistory } from '../../src/consumers/send-history.ts'
import { SendPartition, type SendFlow } from '../../src/consumers/send-partition.ts'
import { Slots } from '../../src/consumers/slots.ts'
import type { Positions } from '../../src/kafka/partition-ledger.ts'
import type { ConsumedRecord, OutgoingRecord } from '../../src/kafka/records.ts'
import { sendRequest } from '../support/send-request.ts'

const record: ConsumedRecord = {
  topic: 'in',
  partition: 0,
  offset: 7,
  timestamp: 0,
  key: null,
  value: Buffer.from('request'),
  headers: [],
}

const start = (
  t: TestContext,
  settle: SendFlow['settle'],
  onReleased: (underWay: number) => void = () => undefined,
) => {
  const commits = new EventEmitter()
  const flow: SendFlow = {
    decode: async (decoded) => ({ record: decoded, request: sendRequest(), history: firstHistory(decoded, 0) }),
    reject: ({ topic, offset }, { code }) => ({
      records: [{ topic: 'dead', key: code, value: null }],
      source: { topic, offset },
    }),
    dueAt: () => 0,
    handOn: () => null,
    postpone: () => assert.fail(),
    settle,
  }
  const now = () => 0
  const partition = new SendPartition(
    {
      partition: 0,
      ledger: { partition: 0, commit: async (...all) => void commits.emit('commit', ...all) },
      pause: () => undefined,
      resume: () => undefined,
      rejoin: (error) => commits.emit('error', error),
      isLeaseFresh: () => true,
    },
    flow,
    {
      accounts: () => 1,
      records: 10,
      slotsOf: () => new Slots(1),
      now,
      inputTopics: ['in'],
      log: new RequestLog({ stateTopic: 'state', partition: 0, windowMs: 1, maxIds: 1, now }),
      replaceTooLarge: (one) => one,
      onHeld: () => undefined,
      onReleased,
      gather: 1,
    },
  )
  t.after(() => partition.release())
  partition.begin(new Map([['in', { offset: 7, settled: [] }]]))
  return { partition, commits }
}

test('a record about which nobody foresaw what happens is a dead letter, and the partition goes on behind it', async (t) => {
  const { partition, commits } = start(t, () => Promise.reject(new TypeError('recipients is not iterable')))
  const committed = once(commits, 'commit') as Promise<[readonly OutgoingRecord[], Positions]>
  partition.accept([record])
  const [records, positions] = await committed
  assert.deepEqual(records, [{ topic: 'dead', key: 'INTERNAL', value: null }])
  assert.deepEqual(positions.get('in'), { offset: 8, settled: [] })
})

test('what is still under way when a partition is let go is counted, and nothing else', async (t) => {
  const steps = new EventEmitter()
  const begun = once(steps, 'begun')
  const underWay: number[] = []
  const { partition } = start(
    t,
    async () => {
      steps.emit('begun')
      await once(steps, 'end')
      return null
    },
    (count) => underWay.push(count),
  )
  partition.accept([record])
  await begun
  await partition.drain(AbortSignal.abort())
  await partition.release()
  steps.emit('end')
  const idle = start(
    t,
    async () => null,
    (count) => underWay.push(count),
  )
  await idle.partition.release()
  assert.deepEqual(underWay, [1, 0])
})

test('what comes back at a rebalance without having been begun is not waited for, and done when the partition stays', async (t) => {
  const steps = new EventEmitter()
  const begun = once(steps, 'begun')
  let turns = 0
  const { partition, commits } = start(t, async (_, { signal }) => {
    turns += 1
    if (turns > 1) return { records: [], source: { topic: 'in', offset: 7 } }
    steps.emit('begun')
    await once(signal, 'abort')
    return null
  })
  partition.accept([record])
  await begun
  await partition.drain(new AbortController().signal)
  assert.equal(turns, 1, 'nothing is begun before the rebalance is over')
  const committed = once(commits, 'commit') as Promise<[readonly OutgoingRecord[], Positions]>
  partition.resume()
  const [, positions] = await committed
  assert.deepEqual([turns, positions.get('in')], [2, { offset: 8, settled: [] }])
})
