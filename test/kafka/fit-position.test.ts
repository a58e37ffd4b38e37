import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fitPosition } from '../../src/kafka/fit-position.ts'
import { OffsetTracker, type Run } from '../../src/kafka/offset-tracker.ts'

const extent = { low: 10, high: 20 }

describe('fitPosition', () => {
  it('leaves alone what the topic still holds, from its oldest record to its end', () => {
    for (const offset of [10, 15, 20]) {
      const committed = { offset, settled: offset < 18 ? [[offset + 1, offset + 2] as const] : [] }
      assert.deepEqual(fitPosition(committed, extent, 10), { position: committed, lost: null })
    }
  })

  it('goes on at the oldest record, and counts what nobody had taken before it', () => {
    const fitted = fitPosition(
      {
        offset: 4,
        settled: [
          [6, 7],
          [9, 12],
          [15, 15],
        ],
      },
      extent,
      10,
    )
    assert.deepEqual(fitted.position, {
      offset: 10,
      settled: [
        [10, 12],
        [15, 15],
      ],
    })
    assert.deepEqual(fitted.lost, { from: 4, to: 10, records: 3 })
  })

  it('tells of no loss where everything that has gone was settled', () => {
    assert.equal(fitPosition({ offset: 4, settled: [[4, 9]] }, extent, 10).lost, null)
  })

  it('takes for settled nothing that is still to be written, where the topic has lost its end', () => {
    const settled = [
      [13, 14],
      [17, 30],
      [40, 41],
    ] as const
    const { position } = fitPosition({ offset: 12, settled }, extent, 10)
    assert.deepEqual(position, {
      offset: 12,
      settled: [
        [13, 14],
        [17, 19],
      ],
    })
  })

  it('goes on at what was written since, where the topic ends before what was committed', () => {
    const fitted = fitPosition({ offset: 21, settled: [[30, 31]] }, extent, 18)
    assert.deepEqual(fitted, { position: { offset: 18, settled: [] }, lost: { from: 21, to: 18, records: null } })
  })

  it('makes nobody do again what was settled, and nobody miss what was not', () => {
    const lengths = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })), { maxLength: 5 })
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 30 }), (stretches, low) => {
        const settled: Run[] = []
        let at = 0
        for (const [gap, length] of stretches) {
          settled.push([at + gap, at + gap + length - 1])
          at += gap + length
        }
        const { position } = fitPosition({ offset: 0, settled }, { low, high: 40 }, low)
        const tracker = new OffsetTracker(position)
        for (let offset = low; offset < 40; offset += 1) {
          const isDone = settled.some(([first, last]) => first <= offset && offset <= last)
          assert.equal(tracker.accept(offset), !isDone)
        }
      }),
    )
  })
})
