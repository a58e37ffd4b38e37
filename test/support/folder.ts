/** A folder receiver on a scripted IMAP server, with a store and a commit log in memory. Restarts keep what was committed. */
import type { TestContext } from 'node:test'
import type { Checkpoint, InboundMessage } from '../../src/avro/records.ts'
import type { ReceiveRule } from '../../src/config/config.ts'
import type { PosthornEvent } from '../../src/events.ts'
import type { OutgoingRecord } from '../../src/kafka/records.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'
import { everyMessage } from '../../src/mail/match-message.ts'
import { defaultParseLimits } from '../../src/mail/parse/limits.ts'
import { createS3AttachmentStore } from '../../src/mail/s3-attachment-store.ts'
import { ByteBudget } from '../../src/producers/byte-budget.ts'
import { MessagePublisher } from '../../src/producers/publish-message.ts'
import { FolderReceiver } from '../../src/producers/receive-folder.ts'
import { MessageStore } from '../../src/producers/store-message.ts'
import { WorkGate } from '../../src/producers/work-gate.ts'
import { startFakeS3, type FakeS3 } from './fake-s3.ts'
import { startImapScriptServer, type ImapScriptServer, type ImapServerOptions } from './imap-fault-server.ts'
import { codec, headerOf } from './kafka.ts'

export const ruleWith = (changes: Partial<ReceiveRule> = {}): ReceiveRule => ({
  folder: 'INBOX',
  start: { at: 'earliest' },
  select: everyMessage,
  after: { action: 'none' },
  idle: true,
  pollMs: 60_000,
  keepRaw: false,
  uidValidityChanged: 'reseed',
  ...changes,
})

const topics = { inbound: 'inbound', deadLetters: 'dead' } as const

export class FolderUnderTest {
  readonly server: ImapScriptServer
  readonly s3: FakeS3
  readonly events: PosthornEvent[] = []
  readonly committed: OutgoingRecord[] = []
  rule: ReceiveRule
  /** Milliseconds since the epoch, as the receiver sees it. */
  now = Date.UTC(2026, 0, 31)
  isLeaseFresh = true
  budget = new ByteBudget(100_000_000)
  patienceMs = 15_000
  commandTimeoutMs = 2_000
  /** All that are configured. */
  accounts = ['main']
  /** Asked for each commit; what it throws keeps it from happening. */
  beforeCommit: (records: readonly OutgoingRecord[]) => void = () => undefined
  readonly #t: TestContext
  #receiver: FolderReceiver | null = null

  constructor(t: TestContext, server: ImapScriptServer, s3: FakeS3, rule: ReceiveRule) {
    this.#t = t
    this.server = server
    this.s3 = s3
    this.rule = rule
  }

  /**
   * On a connection of its own.
   *
   * @param next is done on it right after the sync
   * @returns how many were settled
   */
  async sync(next: (mailbox: Mailbox) => Promise<void> = async () => undefined): Promise<number> {
    const mailbox = await connectMailbox(this.server.config({ commandTimeoutMs: this.commandTimeoutMs }))
    try {
      this.#receiver ??= await this.#create()
      return await this.#receiver.sync(mailbox, new AbortController().signal)
    } finally {
      await next(mailbox)
      await mailbox.close()
    }
  }

  get retryInMs(): number | null {
    return this.#receiver?.retryInMs ?? null
  }

  /** Forgets what is not committed. */
  restart(): void {
    this.#receiver = null
  }

  /** Syncs, with new connections and a later time, until nothing waits to be tried again. */
  async syncUntilSettled(): Promise<void> {
    for (let round = 0; round < 40; round += 1) {
      const failed = await this.sync().then(
        () => false,
        () => true,
      )
      if (!failed && this.#receiver?.retryInMs === null) return
      this.now += 60_000
    }
    throw new Error('it never settles')
  }

  async checkpoint(): Promise<Checkpoint | null> {
    const last = this.committed.findLast(({ topic }) => topic === 'checkpoints')
    return last?.value ? codec.decode('Checkpoint', last.value) : null
  }

  async published(): Promise<InboundMessage[]> {
    const records = this.committed.filter(({ topic }) => topic === topics.inbound)
    return Promise.all(records.map(({ value }) => codec.decode('InboundMessage', value)))
  }

  async subjects(): Promise<(string | null)[]> {
    return (await this.published()).map(({ subject }) => subject)
  }

  get deadLetters() {
    const letters = this.committed.filter(({ topic }) => topic === topics.deadLetters)
    return letters.map(({ key, headers = [] }) => {
      const of = (name: string) => headerOf({ headers }, name)
      const raw = of('dead-letter-raw-key')
      return {
        key,
        code: of('dead-letter-code'),
        attempts: Number(of('dead-letter-attempts')),
        source: of('dead-letter-source'),
        raw: raw === null ? null : (this.s3.objects.get(`/mail/${raw}`)?.content.toString() ?? 'missing'),
      }
    })
  }

  told(type: PosthornEvent['type']): number {
    return this.events.filter((event) => event.type === type).length
  }

  async #create(): Promise<FolderReceiver> {
    const { rule } = this
    const store = createS3AttachmentStore(this.s3.config, { attempts: 1 })
    this.#t.after(() => store.close())
    const shared = {
      account: 'main',
      folder: rule.folder,
      codec,
      emit: (event: PosthornEvent) => this.events.push(event),
    }
    const publisher = new MessagePublisher({
      ...shared,
      accounts: () => this.accounts,
      budget: this.budget,
      patienceMs: this.patienceMs,
      store: new MessageStore({
        store,
        prefix: 'p',
        limits: defaultParseLimits,
        keepRaw: rule.keepRaw,
        hasAttachment: rule.select.hasAttachment,
      }),
      topics: topics as never,
      maxMessageBytes: 50_000_000,
      now: () => this.now,
    })
    return new FolderReceiver(
      {
        ...shared,
        rule,
        partition: 0,
        checkpointsTopic: 'checkpoints',
        publisher,
        commit: async (records) => {
          this.beforeCommit(records)
          this.committed.push(...records)
        },
        gate: new WorkGate(),
        isLeaseFresh: () => this.isLeaseFresh,
        now: () => this.now,
      },
      await this.checkpoint(),
    )
  }
}

export const openFolder = async (
  t: TestContext,
  rule: Partial<ReceiveRule> = {},
  options: ImapServerOptions = {},
): Promise<FolderUnderTest> => {
  const server = await startImapScriptServer(t, options)
  return new FolderUnderTest(t, server, await startFakeS3(t), ruleWith(rule))
}

/** A message with a subject, and an attachment where it has content. */
export const mail = (subject: string, attachment?: string): string =>
  attachment === undefined
    ? `From: a@example.com\r\nSubject: ${subject}\r\n\r\nbody of ${subject}\r\n`
    : [
        `From: a@example.com\r\nSubject: ${subject}\r\nContent-Type: multipart/mixed; boundary=b`,
        `--b\r\n\r\nbody of ${subject}\r\n--b\r\nContent-Disposition: attachment; filename=${subject}.txt`,
        `${attachment}\r\n--b--\r\n`,
      ].join('\r\n\r\n')
