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

describe('posthorn checkpoints reset', () => {
  const account = 'a'
  const withCheckpoint = async (): Promise<FakeCluster> => {
    const cluster = new FakeCluster()
    for (const folder of ['INBOX', 'Other']) {
      const checkpoint = { account, folder, uidValidity: 7, lastUid: 5, updatedAt: 0 }
      const value = await codec.encode('Checkpoint', checkpoint, 't')
      cluster.append('mail.checkpoints', { key: Buffer.from(`a/${folder}`), value })
    }
    return cluster
  }
  const reset = (folder: string) => ['checkpoints', 'reset', '--account', account, '--folder', folder, ...brokers]

  it('takes the checkpoint of the folder away', async () => {
    const cluster = await withCheckpoint()
    const { code, stdout } = await runOn(reset('INBOX'), { cluster })
    assert.deepEqual([code, stdout], [0, 'a INBOX was read up to UID 5 and begins anew\n'])
    const { lines } = await runOn(['checkpoints', 'list', '--json', ...brokers], { cluster })
    const [{ checkpoints }] = lines as unknown as [{ checkpoints: { folder: string }[] }]
    assert.deepEqual(
      checkpoints.map(({ folder }) => folder),
      ['Other'],
    )
    assert.equal((await runOn(reset('INBOX'), { cluster })).code, 2, 'there is none any more')
  })

  it('refuses while a worker is up, which would not see it and write over it', async () => {
    const cluster = await withCheckpoint()
    cluster.members.set('posthorn.mailboxes', 2)
    const { code, stderr } = await runOn(reset('INBOX'), { cluster })
    assert.equal(code, 2)
    assert.match(stderr, /2 worker\(s\)/)
    assert.equal(cluster.topics.get('mail.checkpoints')?.length, 2)
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

describe('posthorn dead-letters replay and discard', () => {
  const withLetters = (...letters: { source: string; code?: string; value?: Buffer | null }[]): FakeCluster => {
    const cluster = new FakeCluster()
    for (const { source, code = 'REQUEST_INVALID', value = Buffer.from('bytes') } of letters) {
      const headers = [
        header('traceparent', 't'),
        header('dead-letter-code', code),
        header('dead-letter-source', source),
      ]
      cluster.append('mail.dead-letters', { key: Buffer.from('k'), value, headers })
    }
    return cluster
  }
  const open = async (cluster: FakeCluster): Promise<number[]> => {
    const { lines } = await runOn(['dead-letters', 'list', '--json', ...brokers], { cluster })
    const [{ deadLetters }] = lines as unknown as [{ deadLetters: { offset: number }[] }]
    return deadLetters.map(({ offset }) => offset)
  }

  it('publishes the bytes at their source again, once, and leaves the rest of the list', async () => {
    const cluster = withLetters(
      { source: 'mail.send.requests/3/1' },
      { source: 'mail.send.retries.10m/3/2' },
      { source: 'mail.commands/0/3' },
      { source: 'mail.send.requests/3/4' },
    )
    const argv = ['dead-letters', 'replay', '0/2', '0/0', '0/1', '--json', ...brokers]
    const { code, lines } = await runOn(argv, { cluster })
    assert.equal(code, 0)
    assert.deepEqual(lines, [
      {
        replayed: [
          { place: '0/0', topic: 'mail.send.requests' },
          { place: '0/1', topic: 'mail.send.requests' },
          { place: '0/2', topic: 'mail.commands' },
        ],
      },
    ])
    assert.equal(cluster.topics.get('mail.send.requests')?.length, 2)
    const [replayed] = cluster.topics.get('mail.commands') ?? []
    assert.deepEqual(
      [replayed?.key?.toString(), replayed?.value?.toString(), replayed?.headers.map(({ name }) => name)],
      ['k', 'bytes', ['traceparent']],
    )
    assert.deepEqual(await open(cluster), [3])

    const again = await runOn(argv, { cluster })
    assert.equal(again.code, 1)
    assert.match(again.stderr, /no open dead letter at 0\/2/)
    assert.equal(cluster.topics.get('mail.send.requests')?.length, 2)
  })

  it('has a received message read again from its mailbox', async () => {
    const cluster = withLetters({ source: 'sup%2Fport/Work%20%26/17/42', code: 'MESSAGE_UNPARSABLE', value: null })
    const { code } = await runOn(['dead-letters', 'replay', '--all', ...brokers], { cluster })
    assert.equal(code, 0)
    const [record] = cluster.topics.get('mail.commands') ?? []
    const command = await codec.decode('MailboxCommand', record?.value ?? null)
    assert.equal(record?.key?.toString(), 'sup/port')
    assert.deepEqual(
      [command.account, command.action, command.fromFolder, command.target],
      ['sup/port', 'REDELIVER', 'Work &', { uids: [42], uidValidity: 17 }],
    )
  })

  it('reports what can not be replayed, keeps it, and goes on', async () => {
    const cluster = withLetters(
      { source: 'mail.inbound' },
      { source: 'other.topic/0/1' },
      { source: 'mail.commands/0/2' },
    )
    const { code, stderr } = await runOn(['dead-letters', 'replay', '--all', ...brokers], { cluster })
    assert.equal(code, 1)
    assert.match(stderr, /0\/0: .*too large to be kept/)
    assert.match(stderr, /0\/1: .*other\.topic/)
    assert.deepEqual(await open(cluster), [0, 1])
  })

  it('discards what is named, by place or by code', async () => {
    const cluster = withLetters(...['A', 'B', 'A', 'C'].map((code) => ({ source: 'mail.commands/0/0', code })))
    assert.equal((await runOn(['dead-letters', 'discard', '--code', 'A', ...brokers], { cluster })).code, 0)
    assert.deepEqual(await open(cluster), [1, 3])
    assert.equal((await runOn(['dead-letters', 'discard', '0/3', ...brokers], { cluster })).code, 0)
    assert.deepEqual(await open(cluster), [1])
    assert.deepEqual([...cluster.topics.keys()], ['mail.dead-letters'], 'nothing is published')
    const all = await runOn(['dead-letters', 'list', '--handled', '--json', ...brokers], { cluster })
    const [{ deadLetters }] = all.lines as unknown as [{ deadLetters: { handled: boolean }[] }]
    assert.deepEqual(
      deadLetters.map(({ handled }) => handled),
      [true, false, true, true],
    )
  })

  it('wants to be told which, in one way', async () => {
    for (const choice of [[], ['0/0', '--all'], ['--all', '--code', 'A']]) {
      const { code } = await runOn(['dead-letters', 'discard', ...choice, ...brokers], { cluster: withLetters() })
      assert.equal(code, 2)
    }
  })
})
