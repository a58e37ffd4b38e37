import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import * as fc from 'fast-check'

import { parseDateMs, parseDurationMs, parseRate, parseSizeBytes } from '../../src/config/units.ts'

describe('units', () => {
  it('reads durations into milliseconds', () => {
    const read = ['250ms', '30s', '1m', '24h', '7d'].map(parseDurationMs)
    assert.deepEqual(read, [250, 30_000, 60_000, 86_400_000, 604_800_000])
  })

  it('reads sizes into bytes, in powers of 1024', () => {
    assert.deepEqual(
      ['0B', '512B', '256KB', '150MB', '2GB'].map(parseSizeBytes),
      [0, 512, 262_144, 157_286_400, 2_147_483_648],
    )
  })

  it('reads a rate into a count and a time', () => {
    assert.deepEqual(parseRate('30/1m'), { count: 30, perMs: 60_000 })
    assert.deepEqual(parseRate('2/500ms'), { count: 2, perMs: 500 })
  })

  it('reads a bare date as midnight UTC, and a time with its offset', () => {
    assert.equal(parseDateMs('2026-01-01'), Date.UTC(2026, 0, 1))
    assert.equal(parseDateMs('2024-02-29T12:30:15+02:00'), Date.UTC(2024, 1, 29, 10, 30, 15))
  })

  it('reads nothing else', () => {
    const durations = ['', '1', 's', '1.5s', '-1s', '1 s', '1S', '1w', '+1s', '1s ', '1e3s', '\uff11s']
    for (const text of durations) assert.ok(Number.isNaN(parseDurationMs(text)), text)
    for (const text of ['1', '1kb', '1 KB', '1.5MB', '1TB', '1KiB']) assert.ok(Number.isNaN(parseSizeBytes(text)), text)
    for (const text of ['30', '30/m', '30/1', '/1m']) assert.ok(Number.isNaN(parseRate(text).perMs), text)
    const dates = ['2026-02-30', '2025-02-29', '2026-13-01', '2026-1-1', '2026-01-01T10:00', '2026-01-01T25:00Z', 'now']
    for (const text of dates) assert.ok(Number.isNaN(parseDateMs(text)), text)
  })

  it('reads back any day that there is', () => {
    const days = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    fc.assert(
      fc.property(days, (date) => {
        const text = date.toISOString()
        assert.equal(parseDateMs(text), date.getTime())
        assert.equal(parseDateMs(text.slice(0, 10)), Math.floor(date.getTime() / 86_400_000) * 86_400_000)
      }),
    )
  })
})
