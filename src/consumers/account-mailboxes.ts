/** The mailboxes of one account as its partition's owner holds them: a listener for each folder, one connection for commands. */
import type { RecordCodec } from '../avro/codec.ts'
import { Backoff } from '../backoff.ts'
import type { AccountConfig, Config, ReceiveRule } from '../config/config.ts'
import type { Emit } from '../events.ts'
import type { AttachmentStore } from '../mail/attachment-store.ts'
import type { AccountConnections } from '../mail/account-connections.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { defaultParseLimits } from '../mail/parse/limits.ts'
import { buildCheckpointKey } from '../producers/dedupe-id.ts'
import { FolderListener } from '../producers/folder-listener.ts'
import { MessagePublisher } from '../producers/publish-message.ts'
import { FolderReceiver } from '../producers/receive-folder.ts'
import { MessageStore } from '../producers/store-message.ts'
import type { Awaited } from '../readiness.ts'
import { LingeringMailbox } from './lingering-mailbox.ts'
import type { AccountMailboxes, MailboxHost } from './mailbox-partition.ts'
import type { CommandAccount } from './settle-command.ts'

export interface AccountDependencies {
  config: Pick<Config, 'kafka' | 'limits' | 'storage'>
  codec: RecordCodec
  /** Never null for an account that receives. */
  store: AttachmentStore | null
  connections: Pick<AccountConnections, 'openMailbox'>
  emit: Emit
  now: () => number
  random: () => number
}

/** A server that is down is asked again after at most this. */
const backoffBounds = { firstMs: 1_000, maxMs: 5 * 60_000 }

export class OwnedAccount implements AccountMailboxes, CommandAccount {
  readonly name: string
  readonly settings: CommandAccount['settings']
  readonly #account: AccountConfig
  readonly #deps: AccountDependencies
  readonly #host: MailboxHost
  readonly #listeners: FolderListener[]
  readonly #commands: LingeringMailbox

  constructor(account: AccountConfig, host: MailboxHost, deps: AccountDependencies) {
    this.name = account.name
    this.#account = account
    this.#deps = deps
    this.#host = host
    this.#listeners = account.receive.map((rule) => this.#listen(rule))
    this.#commands = new LingeringMailbox(() => deps.connections.openMailbox(account))
    this.settings = {
      archiveFolder: account.archiveFolder,
      redeliver: (mailbox, folder, uidValidity, uids) => this.#redeliver(mailbox, folder, uidValidity, uids),
    }
  }

  get awaited(): Awaited[] {
    return this.#listeners
      .filter(({ hasSynced }) => !hasSynced)
      .map(({ folder }) => ({ what: 'folder', account: this.name, folder }))
  }

  start(): void {
    for (const listener of this.#listeners) listener.start()
  }

  withMailbox<T>(use: (mailbox: Mailbox) => Promise<T>): Promise<T> {
    return this.#commands.use(use)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#listeners.map((listener) => listener.stop()), this.#commands.close()])
  }

  #listen(rule: ReceiveRule): FolderListener {
    const { config, codec, emit, now, random } = this.#deps
    const { partition, gate, commit, checkpoints } = this.#host
    const account = this.name
    const receiver = new FolderReceiver(
      {
        account,
        rule,
        partition,
        checkpointsTopic: config.kafka.topics.checkpoints,
        codec,
        publisher: this.#publisher(rule.folder, rule.keepRaw, rule.select.hasAttachment),
        commit: (records) => commit({ records, source: null }),
        gate,
        emit,
        now,
      },
      checkpoints.get(buildCheckpointKey(account, rule.folder)) ?? null,
    )
    const connect = () => this.#deps.connections.openMailbox(this.#account)
    const backoff = new Backoff({ ...backoffBounds, random })
    return new FolderListener({ account, rule, connect, receiver, backoff, emit })
  }

  #publisher(folder: string, keepRaw: boolean, hasAttachment: boolean | null): MessagePublisher {
    const { config, codec, store, emit, now } = this.#deps
    if (store === null) throw new Error('an account that receives needs an object store')
    const { maxInlineBodyBytes, maxParts, maxMessageBytes } = config.limits
    const limits = { ...defaultParseLimits, maxInlineBodyBytes, maxParts }
    return new MessagePublisher({
      account: this.name,
      folder,
      store: new MessageStore({ store, prefix: config.storage?.prefix ?? '', limits, keepRaw }),
      codec,
      topics: config.kafka.topics,
      maxMessageBytes,
      hasAttachment,
      emit,
      now,
    })
  }

  /** Publishes messages again, under the dedupe ids that they have. */
  async #redeliver(mailbox: Mailbox, folder: string, uidValidity: number, uids: readonly number[]): Promise<number> {
    const rule = this.#account.receive.find((one) => one.folder === folder)
    const publisher = this.#publisher(folder, rule?.keepRaw ?? false, null)
    const summaries = await mailbox.fetchSummaries(uids)
    const { records } = await publisher.prepare(mailbox, uidValidity, summaries, true)
    await this.#host.commit({ records, source: null })
    return records.length
  }
}
