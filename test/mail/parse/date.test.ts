import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { parseDate } from '../../../src/mail/parse/date.ts'
import { DefectLog } from '../../../src/mail/parse/defects.ts'

const read = (raw: string): string | null => {
  const millis = parseDate(raw, new DefectLog())
  return millis === null ? null : new Date(millis).toISOString().replace('.000Z', 'Z')
}

describe('a date', () => {
  it('is read as RFC 5322 shows', () => {
    assert.equal(read('Fri, 21 Nov 1997 09:55:06 -0600'), '1997-11-21T15:55:06Z')
    assert.equal(
      read(
        'Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)',
      ),
      '1969-02-14T03:02:00Z',
    )
    assert.equal(read('21 Nov 97 09:55:06 GMT'), '1997-11-21T09:55:06Z')
    assert.equal(read('Fri, 21 Nov 1997 09(comment):   55  :  06 -0600'), null)
    assert.equal(read('1 Jan 49 00:00 UT'), '2049-01-01T00:00:00Z')
    assert.equal(read('1 Jan 103 00:00 UT'), '2003-01-01T00:00:00Z')
    assert.equal(read('Tue, 24 Nov 2026 10:00:00 PDT'), '2026-11-24T17:00:00Z')
    assert.equal(read('Sat, 31 Dec 2016 23:59:60 +0000'), '2017-01-01T00:00:00Z')
  })

  it('is read where an unusual form can mean one instant only', () => {
    assert.equal(read('Tue Nov 24 10:00:00 2026'), '2026-11-24T10:00:00Z')
    assert.equal(read('2026-11-24T10:00:00.500+01:00'), '2026-11-24T09:00:00.500Z')
    assert.equal(read('Nov 24, 2026 6:09:22 PM'), '2026-11-24T18:09:22Z')
    assert.equal(read('24-Nov-2026 10.00.00 GMT+0100'), '2026-11-24T09:00:00Z')
  })

  it('is null where it is none: never now, never another day', () => {
    for (const raw of [
      '',
      'today',
      '31 Feb 2026 10:00:00 +0000',
      '32 Jan 2026 10:00 +0000',
      '1 Jan 2026 25:00 +0000',
      '1 Jan 2026',
      '1 Foo 2026 10:00 +0000',
      '1 Jan 2026 10:00 +9999',
    ]) {
      assert.equal(read(raw), null, raw)
    }
    assert.equal(parseDate(null, new DefectLog()), null)
  })
})
