import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromRanges, toRanges } from '../../src/mail/uid-set.ts'
import { advance, dropAfterRead, firstCheckpoint } from '../../src/producers/checkpoint.ts'
import { buildCheckpointKey, buildDedupeId } from '../../src/producers/dedupe-id.ts'

const sight = { uidValidity: 3, highestUid: 40 }

describe('firstCheckpoint', () => {
  it('passes over what is there with start latest and looks at it with every other start', () => {
    const lastUidWith = (start: Parameters<typeof firstCheckpoint>[2]) =>
      firstCheckpoint('a', 'INBOX', start, sight, 1).lastUid
    assert.equal(lastUidWith({ at: 'latest' }), 40)
    assert.equal(lastUidWith({ at: 'earliest' }), 0)
    assert.equal(lastUidWith({ at: 'unread' }), 0)
    assert.equal(lastUidWith({ at: 'date', sinceMs: 5 }), 0)
  })

  it('remembers up to where the start rule decides', () => {
    assert.equal(firstCheckpoint('a', 'INBOX', { at: 'unread' }, sight, 1).firstSightUid, 40)
  })
})

describe('advance', () => {
  const start = firstCheckpoint('a', 'INBOX', { at: 'earliest' }, sight, 1)

  it('never moves back', () => {
    assert.equal(advance(advance(start, 9, [], 2), 7, [], 3).lastUid, 9)
  })

  it('keeps each published message until its after-read action is done', () => {
    const both = advance(advance(start, 3, [1, 3], 2), 6, [4, 6], 3)
    assert.deepEqual(both.afterReadPending, [
      { first: 1, last: 1 },
      { first: 3, last: 4 },
      { first: 6, last: 6 },
    ])
    assert.deepEqual(dropAfterRead(both, new Set([1, 3, 4]), 4).afterReadPending, [{ first: 6, last: 6 }])
  })
})

describe('toRanges', () => {
  it('is undone by fromRanges for any set of UIDs', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 })), (uids) => {
        assert.deepEqual(
          fromRanges(toRanges(uids)),
          [...new Set(uids)].sort((a, b) => a - b),
        )
      }),
    )
  })
})

describe('buildDedupeId', () => {
  it('never gives two messages the same id', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '/', '%', '2', 'F', 'é'), maxLength: 6 })
    const identity = fc.tuple(name, name, fc.nat(20), fc.nat(20))
    fc.assert(
      fc.property(identity, identity, (one, other) => {
        assert.equal(buildDedupeId(...one) === buildDedupeId(...other), JSON.stringify(one) === JSON.stringify(other))
      }),
    )
  })

  it('keeps the checkpoint key of one folder apart from that of another', () => {
    assert.notEqual(buildCheckpointKey('a/b', 'c'), buildCheckpointKey('a', 'b/c'))
  })
})
