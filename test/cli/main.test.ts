import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

const start = (t: TestContext, ...argv: string[]) => {
  const child = spawn(process.execPath, ['--import', 'tsx', entry, ...argv], { stdio: 'pipe' })
  t.after(() => child.kill('SIGKILL'))
  return child
}

describe('the posthorn process', () => {
  it('exits with the code of the command line', async (t) => {
    const good = start(t, 'schemas', 'list', '--json')
    const [out, [code]] = await Promise.all([text(good.stdout), once(good, 'exit')])
    assert.equal(code, 0)
    assert.equal((JSON.parse(out) as { schemas: unknown[] }).schemas.length > 0, true)
    const bad = start(t, 'schemas', 'show', 'Nope')
    const [error, [badCode]] = await Promise.all([text(bad.stderr), once(bad, 'exit')])
    assert.equal(badCode, 2)
    assert.match(error, /^posthorn: /)
  })

  it('is silent when nobody reads its output any more', async (t) => {
    const child = start(t, 'schemas', 'show', 'InboundMessage')
    child.stdout.destroy()
    const [error, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    assert.deepEqual([error, code, signal], ['', 0, null])
  })

  it('ends in good order at SIGINT', async (t) => {
    const child = start(t, 'send', '--brokers', '127.0.0.1:1')
    child.stdin.write('no json\n')
    await once(child.stderr, 'data')
    child.kill('SIGINT')
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    assert.deepEqual([code, signal], [1, null])
  })
})
