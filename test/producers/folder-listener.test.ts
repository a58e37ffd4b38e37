import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { Backoff } from '../../src/backoff.ts'
import { PosthornError, type ErrorCode } from '../../src/errors.ts'
import type { PosthornEvent } from '../../src/events.ts'
import type { Mailbox, WaitOptions } from '../../src/mail/mailbox.ts'
import { FolderListener } from '../../src/producers/folder-listener.ts'
import { ruleWith } from '../support/folder.ts'

const failure = (code: ErrorCode, retryable = true) => new PosthornError(code, 'no', { stage: 'fetch', retryable })

/** Of somebody who waits for as long as it takes. */
const patient = new AbortController().signal

/** A listener whose connections and syncs do what the test says; pauses are cut to nothing, but told. */
class Scene extends EventEmitter {
  readonly happened: string[] = []
  readonly pauses: number[] = []
  readonly waits: WaitOptions[] = []
  onConnect: () => void = () => undefined
  onSync: (folder: string) => void = () => undefined
  retryInMs: number | null = null
  readonly listener: FolderListener
  #endWait: () => void = () => undefined

  constructor(t: TestContext, folders: readonly string[], pollMs = 60_000) {
    super()
    this.listener = new FolderListener({
      account: 'main',
      folders: folders.map((folder) => ({
        rule: ruleWith({ folder, pollMs }),
        receiver: { sync: async () => this.#sync(folder), retryInMs: this.retryInMs },
      })),
      connect: async () => {
        this.#tell('connect')
        this.onConnect()
        return this.#mailbox()
      },
      newBackoff: ({ firstMs, maxMs }) => new Recorded({ firstMs, maxMs, random: () => 0.999 }, this.pauses),
      emit: (event) => this.#onEvent(event),
      now: () => 0,
    })
    t.after(() => this.listener.stop())
  }

  async reached(what: string, times = 1): Promise<void> {
    while (this.happened.filter((one) => one === what).length < times) await once(this, 'step')
  }

  /** As when the server tells of a change. */
  endWait(): void {
    this.#endWait()
  }

  #mailbox(): Mailbox {
    return {
      wait: (signal: AbortSignal, options: WaitOptions) => {
        this.waits.push(options)
        this.#tell('wait')
        return new Promise<void>((resolve) => {
          this.#endWait = resolve
          signal.addEventListener('abort', () => resolve(), { once: true })
        })
      },
      close: async () => this.#tell('close'),
    } as unknown as Mailbox
  }

  #sync(folder: string): number {
    this.#tell(`sync ${folder}`)
    this.onSync(folder)
    return 0
  }

  #onEvent(event: PosthornEvent): void {
    if (event.type === 'FolderTrouble') this.#tell(`${event.folder}: ${event.code}`)
  }

  #tell(what: string): void {
    this.happened.push(what)
    this.emit('step')
  }
}

class Recorded extends Backoff {
  readonly #pauses: number[]

  constructor(options: ConstructorParameters<typeof Backoff>[0], pauses: number[]) {
    super(options)
    this.#pauses = pauses
  }

  override next(atLeastMs?: number): number {
    this.#pauses.push(super.next(atLeastMs))
    return 0
  }
}

test('pauses grow with each failure and shrink back only after a whole sync', async (t) => {
  const scene = new Scene(t, ['INBOX'])
  let failures = 3
  scene.onSync = () => {
    if ((failures -= 1) >= 0) throw failure('IMAP_CONNECTION_LOST')
  }
  // The second try does not even connect.
  scene.onConnect = () => {
    if (failures === 2 && scene.pauses.length === 1) throw failure('IMAP_UNREACHABLE')
  }
  scene.listener.start()
  await scene.reached('wait')
  assert.deepEqual(
    scene.pauses.map((ms) => Math.round(ms / 1_000)),
    [1, 2, 4, 8],
  )
  scene.onSync = () => {
    scene.onSync = () => undefined
    throw failure('IMAP_TIMEOUT')
  }
  scene.endWait()
  await scene.reached('wait', 2)
  assert.equal(scene.pauses.at(-1), 1_000)
})

test('a connection that failed is closed before the next is made', async (t) => {
  const scene = new Scene(t, ['INBOX'])
  scene.onSync = () => {
    scene.onSync = () => undefined
    throw failure('IMAP_CONNECTION_LOST')
  }
  scene.listener.start()
  await scene.reached('wait')
  assert.deepEqual(scene.happened, [
    'connect',
    'sync INBOX',
    'close',
    'INBOX: IMAP_CONNECTION_LOST',
    'connect',
    'sync INBOX',
    'wait',
  ])
})

test('a refused login is tried again much more slowly', async (t) => {
  const scene = new Scene(t, ['INBOX'])
  let refusals = 2
  scene.onConnect = () => {
    if ((refusals -= 1) >= 0) throw failure('IMAP_AUTHENTICATION_FAILED')
  }
  scene.listener.start()
  await scene.reached('wait')
  assert.deepEqual(
    scene.pauses.map((ms) => Math.round(ms / 1_000)),
    [10, 20],
  )
})

test('a folder that is missing has pauses of its own, and the others are watched', async (t) => {
  const scene = new Scene(t, ['Gone', 'INBOX'])
  scene.onSync = (folder) => {
    if (folder === 'Gone') throw failure('IMAP_FOLDER_MISSING', false)
  }
  scene.listener.start()
  await scene.reached('wait')
  assert.deepEqual(scene.happened, ['connect', 'sync Gone', 'Gone: IMAP_FOLDER_MISSING', 'sync INBOX', 'wait'])
  assert.deepEqual(scene.listener.unsynced, ['Gone'])
})

test('work that is handed in runs between two syncs on the same connection', async (t) => {
  const scene = new Scene(t, ['INBOX'])
  scene.listener.start()
  await scene.reached('wait')
  assert.equal(await scene.listener.use(async () => 'done', patient), 'done')
  await scene.reached('wait', 2)
  await assert.rejects(
    scene.listener.use(() => Promise.reject(failure('IMAP_FOLDER_MISSING', false)), patient),
    { code: 'IMAP_FOLDER_MISSING' },
  )
  await scene.reached('wait', 3)
  assert.equal(scene.happened.filter((one) => one === 'connect').length, 1)
})

test('work that is handed in learns why there is no connection, and that the account is let go', async (t) => {
  const scene = new Scene(t, ['INBOX'])
  scene.onConnect = () => {
    throw failure('IMAP_UNREACHABLE')
  }
  const work = scene.listener.use(async () => 'never', patient)
  scene.listener.start()
  await assert.rejects(work, { code: 'IMAP_UNREACHABLE' })
  await assert.rejects(
    scene.listener.use(async () => 'never', patient),
    { code: 'IMAP_UNREACHABLE' },
  )
  scene.onConnect = () => undefined
  await scene.reached('wait')
  await scene.listener.stop()
  await assert.rejects(
    scene.listener.use(async () => 'never', patient),
    { code: 'STOPPED' },
  )
})

test('work that breaks the connection takes no other work with it', async (t) => {
  const scene = new Scene(t, ['INBOX'])
  const broken = scene.listener.use(() => Promise.reject(failure('IMAP_CONNECTION_LOST')), patient)
  const other = scene.listener.use(async () => 'never', patient)
  const rejected = [broken, other].map((work) => assert.rejects(work, { code: 'IMAP_CONNECTION_LOST' }))
  scene.listener.start()
  await Promise.all(rejected)
})

test('work that has not begun is taken back, and work that has begun goes on', async (t) => {
  const scene = new Scene(t, ['INBOX'])
  const waiting = new AbortController()
  const begun = scene.listener.use(async () => {
    waiting.abort()
    return 'done'
  }, waiting.signal)
  const notBegun = scene.listener.use(async () => 'never', waiting.signal)
  const rejected = assert.rejects(notBegun, { code: 'STOPPED' })
  scene.listener.start()
  assert.equal(await begun, 'done')
  await rejected
})
