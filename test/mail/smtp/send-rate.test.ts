import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { SendRate } from '../../../src/mail/smtp/send-rate.ts'

void test('no window holds more than the limit, and nobody waits longer than needed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.nat(40), { maxLength: 60 }),
      (count, perMs, steps) => {
        const rate = new SendRate({ count, perMs })
        const taken: number[] = []
        let now = 0
        for (const step of steps) {
          now += step
          const wait = rate.waitMs(now)
          const recent = taken.filter((time) => time > now - perMs)
          assert.equal(wait > 0, recent.length >= count)
          if (wait > 0) {
            now += wait
            assert.equal(rate.waitMs(now), 0)
            assert.ok(rate.waitMs(now - 1) > 0)
          }
          rate.take(now)
          taken.push(now)
        }
        for (const time of taken) {
          assert.ok(taken.filter((other) => other > time - perMs && other <= time).length <= count)
        }
      },
    ),
  )
})
