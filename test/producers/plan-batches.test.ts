import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { planBatches } from '../../src/producers/plan-batches.ts'

describe('planBatches', () => {
  it('keeps every message once, in order, and every batch within its bounds', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 })
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 60 }),
        (list, maxMessages, maxBytes) => {
          const messages = list.map((size, uid) => ({ uid, size }))
          const batches = planBatches(messages, { maxMessages, maxBytes })
          assert.deepEqual(batches.flat(), messages)
          for (const batch of batches) {
            const bytes = batch.reduce((sum, { size }) => sum + size, 0)
            assert.ok(batch.length >= 1 && batch.length <= maxMessages)
            assert.ok(bytes <= maxBytes || batch.length === 1)
          }
        },
      ),
    )
  })
})
