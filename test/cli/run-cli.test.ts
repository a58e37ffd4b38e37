import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { header } from '../../src/kafka/records.ts'
import { codec, FakeCluster, runOn } from './fake-cluster.ts'

const brokers = ['--brokers', '127.0.0.1:1']

describe('posthorn', () => {
  it('prints help and version when asked, on stdout', async () => {
    const help = await runOn(['--help'])
    assert.equal(help.code, 0)
    assert.match(help.stdout, /^Usage: posthorn/)
    const version = await runOn(['--version'])
    assert.equal(version.code, 0)
    assert.match(version.stdout, /^\d+\.\d+\.\d+/)
  })

  it('counts a missing or unknown command, argument or option as wrong usage', async () => {
    for (const argv of [[], ['topics'], ['nope'], ['tail'], ['tail', 'a', 'b'], ['schemas', 'list', '--nope']]) {
      const { code, stdout, stderr } = await runOn(argv)
      assert.equal(code, 2, argv.join(' '))
      assert.equal(stdout, '')
      assert.match(stderr, /^(posthorn: .*USAGE_INVALID|Usage: )/)
    }
  })

  it('points to what is missing when there is no configuration, without a stack trace', async () => {
    const { code, stderr } = await runOn(['tail', 'inbound', '--config', 'no-such.yaml'])
    assert.equal(code, 2)
    assert.match(stderr, /^posthorn: no-such\.yaml: .*\(CONFIG_UNREADABLE\)\n {2}→ /)
    assert.doesNotMatch(stderr, /^\s+at /m)
  })

  it('shows where an error comes from with --debug', async () => {
    const { stderr } = await runOn(['tail', 'inbound', '--config', 'no-such.yaml', '--debug'])
    assert.match(stderr, /^\s+at /m)
    assert.match(stderr, /caused by Error: ENOENT/)
  })

  it('refuses brokers that are none, as the configuration would', async () => {
    const { code, stderr } = await runOn(['tail', 'inbound', '--brokers', 'nothing'])
    assert.equal(code, 2)
    assert.match(stderr, /kafka\.brokers/)
  })

  it('takes topics from the configuration and brokers from the flag', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'posthorn-cli-'))
    t.after(() => rm(folder, { recursive: true }))
    const config = join(folder, 'posthorn.yaml')
    await writeFile(config, 'kafka: { brokers: [127.0.0.1:1], topics: { inbound: in } }\n')
    const cluster = new FakeCluster()
    cluster.topics.set('in', [])
    const argv = ['tail', 'inbound', '--exit-at-end', '--config', config, '--brokers', '127.0.0.1:2']
    const { code, stderr } = await runOn(argv, { cluster })
    assert.equal(code, 0, stderr)
    assert.equal(cluster.opened[0]?.topic, 'in')
    assert.deepEqual(cluster.connectedTo, ['127.0.0.1:2'])
  })

  it('closes its connections also when a command fails', async () => {
    const cluster = new FakeCluster()
    const { code } = await runOn(['tail', 'missing', ...brokers], { cluster })
    assert.equal(code, 1)
    assert.equal(cluster.isClosed, true)
  })
})

describe('posthorn schemas', () => {
  it('lists every record with the fingerprint that stands in its header', async () => {
    const { lines } = await runOn(['schemas', 'list', '--json'])
    const [{ schemas }] = lines as unknown as [{ schemas: { name: string; fingerprint: string }[] }]
    const encoded = await codec.encode('SendRequest', { id: 'a', to: ['x'] }, 't')
    const found = schemas.find(({ name }) => name === 'SendRequest')
    assert.equal(found?.fingerprint, encoded.subarray(2, 10).toString('hex'))
  })

  it('shows one as JSON', async () => {
    const { stdout } = await runOn(['schemas', 'show', 'sendrequest'])
    assert.equal((JSON.parse(stdout) as { name: string }).name, 'SendRequest')
    assert.equal((await runOn(['schemas', 'show', 'Nope'])).code, 2)
  })
})

describe('posthorn checkpoints list', () => {
  it('shows the newest of each folder and not those that were taken away', async () => {
    const cluster = new FakeCluster()
    const put = async (account: string, folder: string, lastUid: number | null) => {
      const checkpoint = { account, folder, uidValidity: 7, lastUid: lastUid ?? 0, updatedAt: 0 }
      const value = lastUid === null ? null : await codec.encode('Checkpoint', checkpoint, 't')
      cluster.append('mail.checkpoints', { key: Buffer.from(`${account}/${folder}`), value })
    }
    await put('b', 'INBOX', 1)
    await put('a', 'INBOX', 5)
    await put('a', 'Gone', 3)
    await put('b', 'INBOX', 9)
    await put('a', 'Gone', null)
    cluster.append('mail.checkpoints', { key: Buffer.from('#claim'), value: null })
    const { lines } = await runOn(['checkpoints', 'list', '--json', ...brokers], { cluster })
    const [{ checkpoints }] = lines as unknown as [
      { checkpoints: { account: string; folder: string; lastUid: number }[] },
    ]
    assert.deepEqual(
      checkpoints.map(({ account, folder, lastUid }) => [account, folder, lastUid]),
      [
        ['a', 'INBOX', 5],
        ['b', 'INBOX', 9],
      ],
    )
    const table = await runOn(['checkpoints', 'list', '--account', 'b', ...brokers], { cluster })
    assert.match(table.stdout, /^b +INBOX +7 +9 /m)
    assert.doesNotMatch(table.stdout, /^a /m)
  })
})

describe('posthorn dead-letters', () => {
  const cluster = new FakeCluster()
  for (const code of ['RECORD_UNRECOGNIZED', 'REQUEST_INVALID']) {
    cluster.append('mail.dead-letters', {
      value: Buffer.from('junk'),
      headers: [
        header('dead-letter-code', code),
        header('dead-letter-reason', `reason\u001b of ${code}`),
        header('dead-letter-source', 'mail.send.requests/0/5'),
        header('dead-letter-attempts', 1),
      ],
    })
  }

  it('lists why each is there', async () => {
    const { stdout } = await runOn(['dead-letters', 'list', ...brokers], { cluster })
    assert.match(
      stdout,
      /^0\/0 .*RECORD_UNRECOGNIZED +mail\.send\.requests\/0\/5 +reason\uFFFD of RECORD_UNRECOGNIZED$/m,
    )
    const { lines } = await runOn(['dead-letters', 'list', '--code', 'REQUEST_INVALID', '--json', ...brokers], {
      cluster,
    })
    const [{ deadLetters }] = lines as unknown as [{ deadLetters: { offset: number; attempts: number }[] }]
    assert.deepEqual(
      deadLetters.map(({ offset, attempts }) => [offset, attempts]),
      [[1, 1]],
    )
  })

  it('shows one by its place', async () => {
    const { lines } = await runOn(['dead-letters', 'show', '0/1', ...brokers], { cluster })
    assert.equal((lines[0] as unknown as { base64: string }).base64, Buffer.from('junk').toString('base64'))
    assert.equal((await runOn(['dead-letters', 'show', '0/99', ...brokers], { cluster })).code, 2)
  })
})
