import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { CheckResult } from '../../src/check/check-result.ts'
import { PosthornError } from '../../src/errors.ts'
import { FakeCluster, runOn } from './fake-cluster.ts'

/** A configuration of two accounts whose servers accept connections. */
const configure = async (t: TestContext): Promise<string> => {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-cli-'))
  t.after(async () => {
    server.close()
    await rm(folder, { recursive: true })
  })
  const path = join(folder, 'posthorn.yaml')
  const place = `host: 127.0.0.1, port: ${port}, security: none`
  await writeFile(
    path,
    `kafka: { brokers: [127.0.0.1:1] }
storage: { endpoint: 'http://127.0.0.1:1', region: r, bucket: mail, accessKeyId: a, secretAccessKey: planted-secret }
accounts:
  one:
    smtp: { ${place}, from: a@example.com }
    imap: { ${place}, auth: { user: u, password: planted-secret }, allowPlaintextAuth: true }
    receive: [{ folder: INBOX }]
  two:
    smtp: { ${place}, from: b@example.com }
`,
  )
  return path
}

const reportOf = (stdout: string): { ok: boolean; checks: CheckResult[] } => JSON.parse(stdout) as never

describe('posthorn check', () => {
  it('prints one object with every step of every component', async (t) => {
    const { code, stdout, stderr } = await runOn(['check', '--json', '--config', await configure(t)])
    const { ok, checks } = reportOf(stdout)
    assert.equal(code, 0, stderr)
    assert.equal(ok, true)
    assert.deepEqual(
      checks.map(({ component, account, step }) => [component, account, step].filter(Boolean).join(' ')),
      [
        'kafka connect',
        'kafka topics',
        'storage put, get, delete',
        'smtp one dns',
        'smtp one tcp',
        'smtp one login',
        'imap one dns',
        'imap one tcp',
        'imap one login',
        'imap one folders',
        'smtp two dns',
        'smtp two tcp',
        'smtp two login',
      ],
    )
    assert.deepEqual(Object.keys(checks[0] ?? {}), [
      'component',
      'account',
      'step',
      'ok',
      'code',
      'message',
      'action',
      'ms',
    ])
    assert.doesNotMatch(stdout + stderr, /planted-secret/)
  })

  it('exits 1 when one fails, and says what to do below its line', async (t) => {
    const cluster = new FakeCluster()
    cluster.checkPorts = {
      ...cluster.checkPorts,
      storage: {
        probe: async () => {
          throw new PosthornError('STORAGE_ACCESS_DENIED', 'the key may not write', {
            stage: 'store',
            action: 'Allow it.',
          })
        },
      },
    }
    const { code, stdout } = await runOn(['check', '--config', await configure(t)], { cluster })
    assert.equal(code, 1)
    assert.match(
      stdout,
      /^FAILED +storage +put, get, delete +\d+ ms +the key may not write \(STORAGE_ACCESS_DENIED\)\n {2}→ Allow it\.$/m,
    )
    assert.match(
      stdout,
      /^ok +smtp +two +login .*without a login; the server has PIPELINING, SIZE, not .*up to 50 MB$/m,
    )
  })

  it('checks the servers of the named account only', async (t) => {
    const path = await configure(t)
    const { stdout } = await runOn(['check', '--json', '--account', 'two', '--config', path])
    assert.deepEqual(new Set(reportOf(stdout).checks.map(({ account }) => account)), new Set([null, 'two']))
    const unknown = await runOn(['check', '--account', 'three', '--config', path])
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /one, two/)
  })

  it('exits 2 for the configuration, in JSON as well', async () => {
    const plain = await runOn(['check', '--config', 'no-such.yaml'])
    assert.equal(plain.code, 2)
    assert.match(plain.stderr, /CONFIG_UNREADABLE/)
    const json = await runOn(['check', '--json', '--config', 'no-such.yaml'])
    assert.equal(json.code, 2)
    const { ok, checks } = reportOf(json.stdout)
    assert.equal(ok, false)
    assert.deepEqual(
      checks.map(({ component, code }) => [component, code]),
      [['config', 'CONFIG_UNREADABLE']],
    )
  })
})
