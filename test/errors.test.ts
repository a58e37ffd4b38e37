import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { errorCodes, isPosthornError, PosthornError, toPosthornError, type Stage } from '../src/errors.ts'

const document = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
const [reference = '', deadLetters = ''] = document.split('\n## Dead letters\n')

/** The cells of the table rows that begin with a code. */
const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => /^\| `[A-Z_]+` \|/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

const codeOf = ([first = '']: readonly string[]): string => first.replaceAll('`', '')

// The compiler keeps this equal to the type.
const stages: Record<Stage, true> = {
  configure: true,
  start: true,
  decode: true,
  validate: true,
  compose: true,
  connect: true,
  tls: true,
  authenticate: true,
  envelope: true,
  data: true,
  reply: true,
  select: true,
  fetch: true,
  parse: true,
  store: true,
  publish: true,
  'after-read': true,
  command: true,
  stop: true,
}

describe('docs/errors.md', () => {
  it('has one row for each code, in the order of the list', () => {
    assert.deepEqual(rowsOf(reference).map(codeOf), [...errorCodes])
  })

  it('says of each code what it means, where it happens, whether it is tried again and what to do', () => {
    for (const row of rowsOf(reference)) {
      const [code = '', meaning = '', stage = '', again = '', action = ''] = row
      assert.equal(row.length, 5, code)
      assert.match(meaning, /\.$/, code)
      const named = stage === 'any' ? [] : stage.split(' ').map((word) => word.replaceAll('`', ''))
      for (const name of named) assert.ok(Object.hasOwn(stages, name), `${code}: no stage ${name}`)
      assert.match(again, /^(yes|no|some: .+)/, code)
      assert.match(action, /\.$/, code)
    }
  })

  it('lists codes of dead letters once each, all of them known', () => {
    const codes = rowsOf(deadLetters).map(codeOf)
    assert.ok(codes.length > 0)
    assert.equal(new Set(codes).size, codes.length)
    assert.deepEqual(
      codes.filter((code) => !errorCodes.some((known) => known === code)),
      [],
    )
  })
})

describe('toPosthornError', () => {
  it('leaves an error of the family as it is', () => {
    const error = new PosthornError('SMTP_REJECTED', 'no', { stage: 'envelope' })
    assert.equal(toPosthornError(error, 'start'), error)
    assert.deepEqual([error.retryable, error.action, error.retryAfterMs], [false, null, null])
  })

  it('takes anything else for a defect that another attempt may get around', () => {
    const cause = new TypeError('x is not a function')
    const error = toPosthornError(cause, 'parse')
    assert.ok(isPosthornError(error))
    assert.deepEqual([error.code, error.stage, error.retryable, error.cause], ['INTERNAL', 'parse', true, cause])
    assert.equal(toPosthornError('thrown text', 'stop').message, 'thrown text')
  })
})
