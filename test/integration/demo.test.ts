import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import process from 'node:process'
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

test('a server that ends by itself ends the demo, with the reason and nothing left behind', async (t) => {
  const { start, running, untilNoneRuns } = await demoFolder(t)
  const demo = start([])
  const said = text(demo.stderr)
  const exited = once(demo, 'exit')
  await untilLine(demo.stdout, 'Ctrl-C ends everything')
  const kafka = (await running()).find((line) => line.includes(' kafka.Kafka '))
  process.kill(Number.parseInt(kafka ?? '', 10), 'SIGKILL')
  assert.deepEqual(await exited, [2, null])
  assert.match(await said, /^posthorn: Kafka has ended \(SIGKILL\).*\(ENVIRONMENT_UNSUITABLE\)$/m)
  await untilNoneRuns()
})

test('Ctrl-C does not wait for a download that has stalled', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const { folder, env, start, untilNoneRuns } = await demoFolder(t)
  Object.assign(env, {
    POSTHORN_MAVEN_REPOSITORY: `http://127.0.0.1:${port}/`,
    POSTHORN_CACHE_DIR: folder,
    HOME: folder,
  })
  const asked = once(silent, 'connection')
  const demo = start(['--once'])
  const said = text(demo.stderr)
  await asked
  demo.kill('SIGINT')
  assert.deepEqual(await once(demo, 'exit'), [1, null])
  assert.match(await said, /interrupted: stopping\n$/)
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
