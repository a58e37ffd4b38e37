import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { PosthornError } from '../../src/errors.ts'
import type { PosthornOptions } from '../../src/main.ts'
import { FakeCluster, runOn } from './fake-cluster.ts'

const configure = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-cli-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'posthorn.yaml')
  await writeFile(path, 'kafka: { brokers: [127.0.0.1:1] }\n')
  return path
}

describe('posthorn run', () => {
  it('starts with the configuration, runs until the signal, stops and exits 0', async (t) => {
    const cluster = new FakeCluster()
    const abort = new AbortController()
    const started: PosthornOptions[] = []
    let stops = 0
    cluster.startPosthorn = async (config, options) => {
      assert.deepEqual(config.kafka.brokers, ['127.0.0.1:1'])
      started.push(options)
      options.emit({ type: 'Started', roles: options.roles, accounts: [] })
      setImmediate(() => abort.abort())
      return {
        reload: async () => undefined,
        stop: async () => {
          stops += 1
        },
      }
    }
    const argv = ['run', '--config', await configure(t)]
    const { code, stdout, stderr } = await runOn(argv, { cluster, signal: abort.signal })
    assert.equal(code, 0, stderr)
    assert.equal(stops, 1)
    assert.deepEqual(started[0]?.roles, ['send', 'receive'])
    assert.equal(stdout, '')
    const events = stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event)
    assert.deepEqual(events, ['Started', 'Stopping', 'Stopped'])
  })

  it('takes the roles that are asked for and refuses others', async (t) => {
    const cluster = new FakeCluster()
    const abort = new AbortController()
    abort.abort()
    const roles: unknown[] = []
    cluster.startPosthorn = async (_, options) => {
      roles.push(options.roles)
      return { reload: async () => undefined, stop: async () => undefined }
    }
    const config = await configure(t)
    await runOn(['run', '--roles', 'receive', '--config', config], { cluster, signal: abort.signal })
    assert.deepEqual(roles, [['receive']])
    const refused = await runOn(['run', '--roles', 'send,relay', '--config', config], { cluster })
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /send or receive/)
  })

  it('exits 0 when it is told to stop while it starts', async (t) => {
    const cluster = new FakeCluster()
    const abort = new AbortController()
    cluster.startPosthorn = async (_, { signal }) => {
      setImmediate(() => abort.abort(new Error('enough')))
      await once(signal, 'abort')
      throw signal.reason
    }
    const argv = ['run', '--config', await configure(t)]
    const { code, stderr } = await runOn(argv, { cluster, signal: abort.signal })
    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stderr, /enough/)
  })

  it('takes over a configuration that changes while it starts, once it runs', async (t) => {
    const cluster = new FakeCluster()
    const abort = new AbortController()
    let tellChange = (): void => assert.fail('nobody listens')
    cluster.startPosthorn = async () => {
      await turn()
      tellChange()
      return { reload: async () => abort.abort(), stop: async () => undefined }
    }
    const onReload = (listener: () => void) => (tellChange = listener)
    const { code, stderr } = await runOn(['run', '--config', await configure(t)], {
      cluster,
      signal: abort.signal,
      onReload,
    })
    assert.equal(code, 0, stderr)
    assert.equal(abort.signal.aborted, true)
  })

  it('says why it cannot start', async (t) => {
    const cluster = new FakeCluster()
    cluster.startPosthorn = async () => {
      throw new PosthornError('KAFKA_TOPIC_UNSUITABLE', 'topic x is odd', { stage: 'start', action: 'Mend it.' })
    }
    const { code, stderr } = await runOn(['run', '--config', await configure(t)], { cluster })
    assert.equal(code, 1)
    assert.equal(stderr, 'posthorn: topic x is odd (KAFKA_TOPIC_UNSUITABLE)\n  → Mend it.\n')
  })
})
