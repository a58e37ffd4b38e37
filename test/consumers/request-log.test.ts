import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RequestLog } from '../../src/consumers/request-log.ts'
import type { ConsumedRecord, OutgoingRecord } from '../../src/kafka/records.ts'

const source = 'requests/0/7'

const logAt = (clock: { now: number }, maxIds = 100) =>
  new RequestLog({ stateTopic: 'state', partition: 3, windowMs: 1_000, maxIds, now: () => clock.now })

/** As the next owner reads it. */
const asConsumed = ({ key, value }: OutgoingRecord): ConsumedRecord => ({
  topic: 'state',
  partition: 3,
  offset: 0,
  timestamp: 0,
  key: Buffer.from(String(key)),
  value,
  headers: [],
})

describe('RequestLog', () => {
  it('knows an answered id within the window, also after a replay, and forgets it then', () => {
    const clock = { now: 5_000 }
    const log = logAt(clock)
    const record = log.answer('id', '<m@x>')
    assert.deepEqual([record.topic, record.partition], ['state', 3])
    const next = logAt(clock)
    next.replay(asConsumed(record))
    for (const each of [log, next]) assert.equal(each.knownAs('id', source), '<m@x>')
    clock.now += 1_001
    for (const each of [log, next]) assert.equal(each.knownAs('id', source), null)
  })

  it('keeps the newest ids when there are too many', () => {
    const log = logAt({ now: 1 }, 2)
    for (const id of ['a', 'b', 'c']) log.answer(id, `<${id}@x>`)
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => log.knownAs(id, source)),
      [null, '<b@x>', '<c@x>'],
    )
  })

  it('says of a delivery that was begun whose it was, and to every other record that the id is known', () => {
    const clock = { now: 1 }
    const next = logAt(clock)
    next.replay(asConsumed(logAt(clock).begin('id', source, '<m@x>')))
    assert.equal(next.begunAs('id', source), '<m@x>')
    assert.equal(next.begunAs('id', 'requests/0/8'), null)
    assert.equal(next.knownAs('id', source), null)
    assert.equal(next.knownAs('id', 'requests/0/8'), '<m@x>')
    next.answer('id', '<m@x>')
    assert.equal(next.begunAs('id', source), null)
  })

  it('sets an id free for which nothing was sent, also for the next owner', () => {
    const clock = { now: 1 }
    const log = logAt(clock)
    const answered = log.answer('id', '<m@x>')
    const forgotten = log.forget('id')
    assert.equal(log.knownAs('id', source), null)
    const next = logAt(clock)
    for (const record of [answered, forgotten]) next.replay(asConsumed(record))
    assert.equal(next.knownAs('id', source), null)
  })
})
