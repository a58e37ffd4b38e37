import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { hideAborted, type FetchedMessage } from '../../src/kafka/hide-aborted-records.ts'

const record = (offset: number, producerId: string, inTransaction = true): FetchedMessage => ({
  offset: String(offset),
  key: Buffer.from([0, 0, 0, 0]),
  isControlRecord: false,
  batchContext: { producerId, inTransaction },
})
const marker = (offset: number, producerId: string, type: 0 | 1): FetchedMessage => ({
  ...record(offset, producerId),
  key: Buffer.from([0, 0, 0, type]),
  isControlRecord: true,
})
const visible = (messages: FetchedMessage[]): string[] =>
  messages.filter(({ isControlRecord }) => isControlRecord !== true).map(({ offset }) => offset)

describe('records of aborted transactions', () => {
  it('are hidden though several have begun before the first record, which kafkajs alone does not manage', () => {
    const messages = [
      record(10, 'b'),
      record(11, 'c'),
      record(12, 'a'),
      record(13, 'good'),
      record(14, 'b', false),
      marker(15, 'a', 0),
      marker(16, 'b', 0),
      marker(17, 'c', 0),
      record(18, 'a'),
      marker(19, 'a', 1),
    ]
    const abortedTransactions = [
      { producerId: 'b', firstOffset: '6' },
      { producerId: 'a', firstOffset: '5' },
      { producerId: 'c', firstOffset: '7' },
    ]
    const kafkajs = createRequire(import.meta.url)('kafkajs/src/consumer/filterAbortedMessages') as (input: {
      messages: FetchedMessage[]
      abortedTransactions: typeof abortedTransactions
    }) => FetchedMessage[]
    assert.notDeepEqual(visible(kafkajs({ messages, abortedTransactions })), ['13', '14', '18'], 'needed no more')
    const partition = { messages, abortedTransactions }
    hideAborted(partition)
    assert.deepEqual(visible(partition.messages), ['13', '14', '18'])
    assert.deepEqual(partition.abortedTransactions, [])
    assert.equal(partition.messages.length, 10, 'offsets advance past them')
  })

  it('of one producer end with its marker, and begin again with the next', () => {
    const messages = [
      record(1, 'a'),
      marker(2, 'a', 0),
      record(3, 'a'),
      marker(4, 'a', 1),
      record(5, 'a'),
      marker(6, 'a', 0),
    ]
    hideAborted({
      messages,
      abortedTransactions: [
        { producerId: 'a', firstOffset: '1' },
        { producerId: 'a', firstOffset: '5' },
      ],
    })
    assert.deepEqual(visible(messages), ['3'])
  })
})
