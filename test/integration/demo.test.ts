import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const start = new URL('../../scripts/start.mjs', import.meta.url).pathname

/** Every process has the folder in its environment, and so has what it starts. */
const inFolderOfItsOwn = async (t: TestContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-demo-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const env = { ...process.env, POSTHORN_DEMO_TEST: folder }
  const running = async (): Promise<string[]> => {
    const { stdout } = await run('ps', ['axeww', '-o', 'pid=,command='])
    return stdout
      .split('\n')
      .filter((line) => line.includes(`POSTHORN_DEMO_TEST=${folder}`) && !line.includes(' ps axe'))
  }
  const untilNoneRuns = async (): Promise<void> => {
    for (let left = 100; (await running()).length > 0; left -= 1) {
      assert.ok(left > 0, `still running: ${(await running()).join('\n').slice(0, 500)}`)
      await delay(100)
    }
  }
  return { folder, env, running, untilNoneRuns }
}

test('npm start -- --once goes once around, prints its facts as the last line and leaves nothing running', async (t) => {
  const { folder, env, untilNoneRuns } = await inFolderOfItsOwn(t)
  const { stdout, stderr } = await run(process.execPath, [start, '--once'], { cwd: folder, env })
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    ok: boolean
    request: { id: string; messageId: string }
    result: { status: string }
    inbound: { dedupeId: string; attachments: { fileName: string; size: number; sha256: string }[] }
    command: { status: string; toFolder: string }
    endpoints: Record<string, string>
    seconds: number
  }
  assert.equal(summary.ok, true)
  assert.equal(summary.result.status, 'DELIVERED')
  assert.match(summary.request.messageId, /^<.+@.+>$/)
  assert.match(summary.inbound.dedupeId, /^demo\/INBOX\/\d+\/1$/)
  assert.deepEqual(
    summary.inbound.attachments.map(({ fileName }) => fileName),
    ['invoice.pdf', 'Grüße.txt'],
  )
  for (const { sha256 } of summary.inbound.attachments) assert.match(sha256, /^[0-9a-f]{64}$/)
  assert.deepEqual(summary.command, { status: 'DONE', toFolder: 'Archive' })
  assert.deepEqual(Object.keys(summary.endpoints), ['kafka', 'smtp', 'imap', 's3'])
  assert.ok(summary.seconds > 0)
  assert.match(stderr, /the same as sent/)
  await untilNoneRuns()
})

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  test(`${signal} in the middle of the start leaves nothing running`, async (t) => {
    const { folder, env, running, untilNoneRuns } = await inFolderOfItsOwn(t)
    const demo = spawn(process.execPath, [start], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
    const exited = once(demo, 'exit')
    for await (const line of createInterface({ input: demo.stderr })) {
      if (line.includes('starting Posthorn')) break
    }
    assert.ok((await running()).length >= 4, 'the servers run')
    demo.kill(signal)
    await exited
    await untilNoneRuns()
  })
}
