import assert from 'node:assert/strict'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { demoFolder, untilLine } from '../support/demo.ts'

test('npm start -- --once goes once around, prints its facts as the last line and leaves nothing running', async (t) => {
  const { start, untilNoneRuns } = await demoFolder(t)
  const demo = start(['--once'])
  const exited = once(demo, 'exit')
  const [stdout, stderr] = await Promise.all([text(demo.stdout), text(demo.stderr)])
  assert.deepEqual(await exited, [0, null], stderr)
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
    const { start, running, untilNoneRuns } = await demoFolder(t)
    const demo = start([])
    demo.stdout.resume()
    const exited = once(demo, 'exit')
    await untilLine(demo.stderr, 'starting Posthorn')
    assert.ok((await running()).length >= 4, 'the servers run')
    demo.kill(signal)
    await exited
    await untilNoneRuns()
  })
}
