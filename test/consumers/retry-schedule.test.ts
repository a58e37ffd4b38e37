import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endOf, scheduleRetry, scheduleStart, shortestWait } from '../../src/consumers/retry-schedule.ts'

const tiers = [
  { label: '1m', delayMs: 60_000, topic: 't.1m' },
  { label: '1h', delayMs: 3_600_000, topic: 't.1h' },
]
const label = (next: { tier: { label: string } } | null) => next?.tier.label ?? null

describe('the schedule of retries', () => {
  it('puts attempt n into tier n and repeats the last', () => {
    const labels = [1, 2, 3, 9].map((attempt) => label(scheduleRetry(attempt, 0, Number.POSITIVE_INFINITY, { tiers })))
    assert.deepEqual(labels, ['1m', '1h', '1h', '1h'])
    assert.equal(scheduleRetry(2, 1_000, Number.POSITIVE_INFINITY, { tiers })?.dueAt, 3_601_000)
  })

  it('ends when the next attempt would come too late, not before', () => {
    assert.equal(label(scheduleRetry(1, 0, 60_000, { tiers })), '1m')
    assert.equal(scheduleRetry(1, 1, 60_000, { tiers }), null)
  })

  it('ends at maxAge or at expiresAt, whichever comes first', () => {
    assert.equal(endOf(100, null, { maxAgeMs: 50 }), 150)
    assert.equal(endOf(100, 120, { maxAgeMs: 50 }), 120)
    assert.equal(endOf(100, 900, { maxAgeMs: 50 }), 150)
  })

  it('waits for sendAt in the longest tier that does not overshoot', () => {
    const waits = [59_999, 60_000, 3_599_999, 3_600_000, 9e9].map((sendAt) =>
      label(scheduleStart(sendAt, 0, { tiers })),
    )
    assert.deepEqual(waits, [null, '1m', '1m', '1h', '1h'])
    assert.deepEqual(shortestWait(5, { tiers }), { tier: tiers[0], dueAt: 60_005 })
  })
})
