import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import type { Check, TakeStep } from '../../src/check/check-result.ts'
import { runChecks, type RunOptions } from '../../src/check/run-checks.ts'
import { PosthornError } from '../../src/errors.ts'

const check = (component: Check['component'], run: (takeStep: TakeStep) => Promise<void>): Check => ({
  component,
  account: null,
  run,
})
const options = (changes: Partial<RunOptions> = {}): RunOptions => ({
  timeoutMs: 5_000,
  concurrency: 8,
  signal: new AbortController().signal,
  now: () => 0,
  ...changes,
})
const forever = () => new Promise<never>(() => undefined)
const works = async () => 'fine'
const refused = async () => {
  throw new PosthornError('SMTP_UNREACHABLE', 'nothing listens', { stage: 'connect', action: 'Start it.' })
}

describe('runChecks', () => {
  it('reports each step with what it found and how long it took', async () => {
    let clock = 0
    const results = await runChecks(
      [
        check('kafka', async (takeStep) => {
          await takeStep('connect', works, (found) => `all is ${found}`)
        }),
      ],
      options({ now: () => (clock += 7.4) }),
    )
    assert.deepEqual(results, [
      {
        component: 'kafka',
        account: null,
        step: 'connect',
        ok: true,
        code: null,
        message: 'all is fine',
        action: null,
        ms: 7,
      },
    ])
  })

  it('ends a check at its first failure, says what to do, and goes on with the others', async () => {
    const results = await runChecks(
      [
        check('smtp', async (takeStep) => {
          await takeStep('tcp', refused, () => '')
          await takeStep('login', works, () => '')
        }),
        check('imap', async (takeStep) => {
          await takeStep('login', works, () => 'in')
        }),
      ],
      options(),
    )
    assert.deepEqual(
      results.map(({ component, step, ok, code, action }) => [component, step, ok, code, action]),
      [
        ['smtp', 'tcp', false, 'SMTP_UNREACHABLE', 'Start it.'],
        ['imap', 'login', true, null, null],
      ],
    )
  })

  it('runs them side by side: one that waits for another does not wait for ever', async () => {
    const gate = new AbortController()
    const results = await runChecks(
      [
        check('kafka', async (takeStep) => {
          await takeStep(
            'a',
            () => once(gate.signal, 'abort'),
            () => 'after the other',
          )
        }),
        check('storage', async (takeStep) => {
          await takeStep(
            'b',
            async () => gate.abort(),
            () => 'first',
          )
        }),
      ],
      options(),
    )
    assert.deepEqual(
      results.map(({ message }) => message),
      ['after the other', 'first'],
    )
  })

  it('ends a step that never answers, with the code of its component, and tells the work to stop', async () => {
    const signals: AbortSignal[] = []
    const results = await runChecks(
      [
        check('imap', async (takeStep) => {
          await takeStep('login', works, () => 'in')
          await takeStep(
            'folders',
            (signal) => (signals.push(signal), forever()),
            () => '',
          )
        }),
      ],
      options({ timeoutMs: 20 }),
    )
    assert.equal(signals[0]?.aborted, true)
    assert.deepEqual(
      results.map(({ step, code, message }) => [step, code, message]),
      [
        ['login', null, 'in'],
        ['folders', 'IMAP_TIMEOUT', 'no answer within 0.02 s'],
      ],
    )
  })

  it('ends at the interrupt', async () => {
    const stop = new AbortController()
    const running = runChecks(
      [
        check('storage', async (takeStep) => {
          await takeStep('put', forever, () => '')
        }),
      ],
      options({ signal: stop.signal }),
    )
    stop.abort()
    assert.equal((await running)[0]?.code, 'STOPPED')
  })

  it('has no more checks at once than it may', async () => {
    let running = 0
    let most = 0
    const one = check('imap', async (takeStep) => {
      await takeStep(
        'login',
        async () => {
          running += 1
          most = Math.max(most, running)
          await new Promise(setImmediate)
          running -= 1
        },
        () => '',
      )
    })
    const results = await runChecks(
      Array.from({ length: 10 }, () => one),
      options({ concurrency: 3 }),
    )
    assert.equal(results.length, 10)
    assert.equal(most, 3)
  })
})
