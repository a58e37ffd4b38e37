import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeSettled, encodeSettled, OffsetTracker } from '../../src/kafka/offset-tracker.ts'

const fresh = (offset = 0) => new OffsetTracker({ offset, settledBeyond: [] })

describe('OffsetTracker', () => {
  it('never commits past an unsettled record', () => {
    const tracker = fresh(10)
    for (const offset of [10, 11, 13]) assert.equal(tracker.accept(offset), true)
    tracker.settle(13)
    tracker.settle(11)
    assert.deepEqual(tracker.committable(), { offset: 10, settledBeyond: [11, 13] })
    tracker.settle(10)
    assert.deepEqual(tracker.committable(), { offset: 14, settledBeyond: [] })
  })

  it('refuses a record that it has seen before', () => {
    const tracker = fresh()
    assert.equal(tracker.accept(0), true)
    assert.equal(tracker.accept(0), false)
  })

  it('refuses what an earlier owner settled beyond the committed offset', () => {
    const tracker = new OffsetTracker({ offset: 5, settledBeyond: [6] })
    assert.deepEqual(
      [5, 6, 7].map((offset) => tracker.accept(offset)),
      [true, false, true],
    )
  })

  it('throws when an offset is settled twice', () => {
    const tracker = fresh()
    tracker.accept(0)
    tracker.settle(0)
    assert.throws(() => tracker.settle(0), /offset 0 is not in flight/)
  })

  it('answers what a commit under construction will settle without settling it', () => {
    const tracker = fresh()
    for (const offset of [0, 1, 2]) tracker.accept(offset)
    assert.deepEqual(tracker.committable(new Set([0, 2])), { offset: 1, settledBeyond: [2] })
    assert.deepEqual(tracker.committable(), { offset: 0, settledBeyond: [] })
  })

  it('hands over to a next owner who processes exactly what was not settled, for any order of settling', () => {
    const scenario = fc.record({
      start: fc.nat(1_000_000),
      gaps: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 60 }),
      order: fc.array(fc.nat(), { maxLength: 60 }),
    })
    fc.assert(
      fc.property(scenario, ({ start, gaps, order }) => {
        const offsets = gaps.reduce<number[]>((all, gap) => [...all, (all.at(-1) ?? start - 1) + gap], [])
        const first = new OffsetTracker({ offset: start, settledBeyond: [] })
        for (const offset of offsets) assert.equal(first.accept(offset), true)
        const settled = new Set<number>()
        for (const pick of order) {
          const offset = offsets[pick % offsets.length] ?? start
          if (settled.has(offset)) continue
          first.settle(offset)
          settled.add(offset)
        }
        const committed = first.committable()
        const second = new OffsetTracker(decodeSettled(committed.offset, encodeSettled(committed)))
        const again = offsets.filter((offset) => second.accept(offset))
        assert.deepEqual(
          again,
          offsets.filter((offset) => !settled.has(offset)),
        )
        assert.equal(first.span, (offsets.at(-1) ?? 0) + 1 - committed.offset)
      }),
    )
  })
})

describe('encodeSettled', () => {
  it('fits a full span into the metadata that a broker takes', () => {
    const settledBeyond = Array.from({ length: 16_383 }, (_, index) => index + 1)
    assert.ok(encodeSettled({ offset: 0, settledBeyond }).length < 4_000)
  })

  it('is empty when nothing is settled beyond', () => {
    assert.equal(encodeSettled({ offset: 7, settledBeyond: [] }), '')
    assert.deepEqual(decodeSettled(7, ''), { offset: 7, settledBeyond: [] })
  })
})
