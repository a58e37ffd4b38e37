import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Admin } from 'kafkajs'
import { HeldPartition } from '../../src/kafka/held-partition.ts'
import { claimMarkerHeader, claimMarkerKey, type PartitionLedger } from '../../src/kafka/partition-ledger.ts'
import type { PartitionOwner } from '../../src/kafka/partition-owner.ts'
import { header, type ConsumedRecord } from '../../src/kafka/records.ts'

const record = (topic: string, offset: number, marker?: string): ConsumedRecord => ({
  topic,
  partition: 3,
  offset,
  timestamp: 0,
  key: Buffer.from(marker === undefined ? `k${offset}` : claimMarkerKey),
  value: null,
  headers: marker === undefined ? [] : [header(claimMarkerHeader, marker)],
})

const setUp = () => {
  const calls: string[] = []
  const owner: PartitionOwner = {
    awaited: [],
    replay: ({ offset }) => calls.push(`replay ${offset}`),
    begin: (positions) => calls.push(`begin at ${positions.get('in')?.offset}`),
    accept: (records) => calls.push(`accept ${records.map(({ offset }) => offset).join()}`),
    drain: async () => undefined,
    resume: () => undefined,
    release: async () => void calls.push('owner released'),
  }
  const ledger = {
    partition: 3,
    claim: async () => ({
      marker: 'mine',
      positions: new Map([['in', { offset: 7, settled: [] }]]),
      committedAt: 1_000_000,
    }),
    close: async () => void calls.push('ledger closed'),
  } as unknown as PartitionLedger
  const admin = {
    fetchTopicOffsets: async () => [
      { partition: 2, low: '1', high: '9' },
      { partition: 3, low: '4', high: '9' },
    ],
  } as unknown as Admin
  const abort = new AbortController()
  const held = new HeldPartition(owner, ledger, 'state', abort, new Set())
  return { held, admin, calls, abort }
}

describe('HeldPartition', () => {
  it('lets nothing flow while it is being claimed', () => {
    const { held, calls } = setUp()
    assert.deepEqual([held.wants('in'), held.wants('state'), held.awaited], [false, false, null])
    assert.deepEqual(held.take('in', [record('in', 7)]), [])
    assert.deepEqual(held.take('state', [record('state', 4)]), [])
    assert.deepEqual(calls, [])
  })

  it('takes a topic of which Kafka does not tell the offsets for no empty one', async () => {
    const { held } = setUp()
    const admin = { fetchTopicOffsets: async () => [{ partition: 2, low: '1', high: '9' }] } as unknown as Admin
    await assert.rejects(held.claim(admin), { code: 'KAFKA_FAILED', retryable: true })
    assert.equal(held.wants('state'), false)
  })

  it('goes on where a topic that has lost its end was written to since the last commit, with some minutes of doubt', async () => {
    const { held } = setUp()
    const asked: unknown[] = []
    const admin = {
      fetchTopicOffsets: async () => [{ partition: 3, low: '0', high: '5' }],
      fetchTopicOffsetsByTimestamp: async (...about: unknown[]) => {
        asked.push(about)
        return [{ partition: 3, offset: '4' }]
      },
    } as unknown as Admin
    const claimed = await held.claim(admin)
    assert.deepEqual(claimed?.losses, [{ topic: 'in', partition: 3, from: 7, to: 4, records: null }])
    assert.deepEqual(asked, [['in', 880_000]])
  })

  it('replays the state from its beginning to its own marker, over the markers of others, then begins', async () => {
    const { held, admin, calls } = setUp()
    assert.deepEqual(await held.claim(admin), { seek: { topic: 'state', offset: 4 }, losses: [] })
    assert.deepEqual([held.wants('in'), held.wants('state')], [false, true])
    assert.deepEqual(held.take('state', [record('state', 4), record('state', 5, 'of an older owner')]), [])
    assert.deepEqual(held.take('in', [record('in', 7)]), [], 'fetched before it was paused')
    const seeks = held.take('state', [record('state', 6), record('state', 7, 'mine'), record('state', 8)])
    assert.deepEqual(seeks, [{ topic: 'in', offset: 7 }])
    assert.deepEqual(calls, ['replay 4', 'replay 6', 'begin at 7'])
    assert.deepEqual([held.wants('in'), held.wants('state'), held.awaited], [true, false, []])
  })

  it('hands over inputs while it runs, and the state no more', async () => {
    const { held, admin, calls } = setUp()
    await held.claim(admin)
    held.take('state', [record('state', 4, 'mine')])
    held.take('in', [record('in', 7), record('in', 8)])
    held.take('state', [record('state', 9)])
    assert.deepEqual(calls, ['begin at 7', 'accept 7,8'])
    held.pausedTopics.add('in')
    assert.equal(held.wants('in'), false)
  })

  it('lets go of the owner before the ledger, and accepts nothing afterwards', async () => {
    const { held, admin, calls, abort } = setUp()
    await held.claim(admin)
    held.take('state', [record('state', 4, 'mine')])
    await held.release()
    assert.equal(abort.signal.aborted, true)
    held.take('in', [record('in', 7)])
    assert.deepEqual(calls, ['begin at 7', 'owner released', 'ledger closed'])
    assert.deepEqual([held.wants('in'), held.wants('state')], [false, false])
  })

  it('begins nothing when it was released while it was being claimed', async () => {
    const { held, admin, calls } = setUp()
    const claiming = held.claim(admin)
    await held.release()
    assert.equal(await claiming, null)
    held.take('state', [record('state', 4, 'mine')])
    assert.deepEqual(calls, ['owner released', 'ledger closed'])
  })
})
