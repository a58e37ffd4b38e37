import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeSettled, encodeSettled, maxRuns, OffsetTracker } from '../../src/kafka/offset-tracker.ts'

const fresh = (offset = 0) => new OffsetTracker({ offset, settled: [] })

describe('OffsetTracker', () => {
  it('never commits past an unsettled record', () => {
    const tracker = fresh(10)
    for (const offset of [10, 11, 13]) assert.equal(tracker.accept(offset), true)
    tracker.settle(13)
    tracker.settle(11)
    assert.deepEqual(tracker.committable(), { offset: 10, settled: [[11, 13]] })
    tracker.settle(10)
    assert.deepEqual(tracker.committable(), { offset: 14, settled: [] })
  })

  it('refuses a record that it has seen before', () => {
    const tracker = fresh()
    assert.equal(tracker.accept(0), true)
    assert.equal(tracker.accept(0), false)
  })

  it('refuses what an earlier owner settled beyond the committed offset', () => {
    const tracker = new OffsetTracker({ offset: 5, settled: [[6, 6]] })
    assert.deepEqual(
      [5, 6, 7].map((offset) => tracker.accept(offset)),
      [true, false, true],
    )
  })

  it('counts no runs where nothing is in flight: only accepting more makes those of an earlier owner fewer', () => {
    const settled = Array.from({ length: 400 }, (_, index) => [2 * index + 1, 2 * index + 1] as const)
    const tracker = new OffsetTracker({ offset: 0, settled })
    tracker.accept(0)
    tracker.committable()
    assert.equal(tracker.runs, 400)
    tracker.settle(0)
    assert.equal(tracker.runs, 0)
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
    assert.deepEqual(tracker.committable(new Set([0, 2])), { offset: 1, settled: [[2, 2]] })
    assert.deepEqual(tracker.committable(), { offset: 0, settled: [] })
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
        const first = new OffsetTracker({ offset: start, settled: [] })
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
        // An owner that settles what it took and dies half-way loses nothing of what was settled before it.
        const third = new OffsetTracker(committed)
        const taken = offsets.slice(0, offsets.length >> 1).filter((offset) => third.accept(offset))
        const fourth = new OffsetTracker(third.committable(new Set(taken)))
        assert.deepEqual(
          offsets.filter((offset) => fourth.accept(offset)),
          again.filter((offset) => !taken.includes(offset)),
        )
      }),
    )
  })
})

describe('encodeSettled', () => {
  it('needs a few bytes for a record that is stuck while a million others are settled', () => {
    const tracker = fresh(7)
    for (let offset = 7; offset < 1_000_007; offset += 1) {
      tracker.accept(offset)
      if (offset !== 7) tracker.settle(offset)
    }
    const committed = tracker.committable()
    assert.deepEqual(committed, { offset: 7, settled: [[8, 1_000_006]] })
    assert.ok(encodeSettled(committed).length <= 8)
    assert.deepEqual(decodeSettled(7, encodeSettled(committed)), committed)
  })

  it('fits the greatest number of runs into the metadata that a broker takes, and leaves out what does not fit', () => {
    const runs = (count: number, length: number) =>
      Array.from({ length: count }, (_, index): [number, number] => [
        (index + 1) * 2 * length - length,
        (index + 1) * 2 * length - 1,
      ])
    const most = { offset: 0, settled: runs(maxRuns, 16_383) }
    assert.ok(encodeSettled(most).length < 4_000)
    assert.deepEqual(decodeSettled(0, encodeSettled(most)), most)
    const tooMany = { offset: 0, settled: runs(10_000, 1) }
    const { settled } = decodeSettled(0, encodeSettled(tooMany))
    assert.ok(encodeSettled(tooMany).length < 4_000 && settled.length > maxRuns)
    assert.deepEqual(settled, tooMany.settled.slice(0, settled.length))
  })

  it('is empty when nothing is settled beyond', () => {
    assert.equal(encodeSettled({ offset: 7, settled: [] }), '')
    assert.deepEqual(decodeSettled(7, ''), { offset: 7, settled: [] })
  })
})
