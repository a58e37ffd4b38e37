/** The mailboxes of one account as its partition's owner holds them: a listener for each folder, one connection for commands. */
import type { Accounts } from '../accounts.ts'
import type { RecordCodec } from '../avro/codec.ts'
import type { Checkpoint } from '../avro/records.ts'
import { Backoff } from '../backoff.ts'
import type { AccountConfig, Config, ReceiveRule } from '../config/config.ts'
import type { Emit } from '../events.ts'
import type { OutgoingRecord } from '../kafka/records.ts'
import type { AttachmentStore } from '../mail/attachment-store.ts'
import type { AccountTokens } from '../mail/access-tokens.ts'
import type { AccountConnections } from '../mail/account-connections.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { defaultParseLimits } from '../mail/parse/limits.ts'
import type { ByteBudget } from '../producers/byte-budget.ts'
import { buildCheckpointKey } from '../producers/dedupe-id.ts'
import { FolderListener } from '../producers/folder-listener.ts'
import { MessagePublisher } from '../producers/publish-message.ts'
import { FolderReceiver } from '../producers/receive-folder.ts'
import { MessageStore } from '../producers/store-message.ts'
import type { Awaited } from '../readiness.ts'
import { batchBounds, planBatches } from '../producers/plan-batches.ts'
import { sliceUids } from '../producers/select-messages.ts'
import { LingeringMailbox } from './lingering-mailbox.ts'
import type { AccountMailboxes, MailboxHost } from './mailbox-partition.ts'
import type { CommandSettings, Redelivered } from './run-mailbox-command.ts'
import type { CommandAccount } from './settle-command.ts'

export interface AccountDependencies {
  config: Pick<Config, 'kafka' | 'limits' | 'storage'>
  accounts: Accounts
  codec: RecordCodec
  /** Never null for an account that receives. */
  store: AttachmentStore | null
  /** Of the whole process. */
  budget: ByteBudget
  connections: AccountConnections
  emit: Emit
  now: () => number
  random: () => number
}

/** A server that is silent for longer is let go of where its memory is wanted. */
const patienceMs = 15_000

/** Deals the items out to at most `most` groups. */
const deal = <T>(items: readonly T[], most: number): T[][] => {
  const groups: T[][] = Array.from({ length: Math.min(most, items.length) }, () => [])
  for (const [index, item] of items.entries()) groups[index % groups.length]?.push(item)
  return groups
}

export class OwnedAccount implements AccountMailboxes, CommandAccount {
  readonly name: string
  readonly settings: CommandAccount['settings']
  readonly #account: AccountConfig
  readonly #deps: AccountDependencies
  readonly #host: MailboxHost
  readonly #receivers = new Map<string, FolderReceiver>()
  readonly #listeners: FolderListener[]
  /** Null: the account may have one connection only, and commands share the listener's. */
  readonly #commands: LingeringMailbox | null

  constructor(account: AccountConfig, host: MailboxHost, deps: AccountDependencies) {
    this.name = account.name
    this.#account = account
    this.#deps = deps
    this.#host = host
    const connections = account.imap?.connections ?? 1
    // One is for commands.
    this.#listeners = deal(account.receive, Math.max(1, connections - 1)).map((rules) => this.#listen(rules))
    const isShared = connections === 1 && this.#listeners.length > 0
    this.#commands = isShared ? null : new LingeringMailbox(() => deps.connections.openMailbox(account))
    this.settings = {
      archiveFolder: account.archiveFolder,
      isLeaseFresh: host.isLeaseFresh,
      redeliver: (...work) => this.#redeliver(...work),
    }
  }

  get awaited(): Awaited[] {
    return this.#listeners
      .flatMap(({ unsynced }) => unsynced)
      .map((folder) => ({ what: 'folder', account: this.name, folder }))
  }

  /** By checkpoint key: where its folders have got. */
  get checkpoints(): [string, Checkpoint][] {
    return [...this.#receivers].flatMap(([key, { checkpoint }]) => (checkpoint === null ? [] : [[key, checkpoint]]))
  }

  start(): void {
    for (const listener of this.#listeners) listener.start()
  }

  async withMailbox<T>(use: (mailbox: Mailbox) => Promise<T>): Promise<T> {
    if (this.#commands !== null) return this.#commands.use(use)
    const [listener] = this.#listeners
    if (listener === undefined) throw new Error('an account without a listener has a connection for commands')
    const { paused = null } = this.#tokens() ?? {}
    if (paused !== null) throw paused
    // A command waits inside the gate for a listener that may wait outside it: whoever closes it would wait for both.
    const waiting = new AbortController()
    const endWatch = this.#host.gate.onClose(() => waiting.abort())
    return listener.use(use, waiting.signal).finally(endWatch)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#listeners.map((listener) => listener.stop()), this.#commands?.close()])
  }

  #listen(rules: readonly ReceiveRule[]): FolderListener {
    const { emit, now, random } = this.#deps
    return new FolderListener({
      account: this.name,
      folders: rules.map((rule) => ({ rule, receiver: this.#receive(rule) })),
      connect: (signal) => this.#connectWhenResumed(signal),
      newBackoff: (bounds) => new Backoff({ ...bounds, random }),
      emit,
      now,
    })
  }

  /** Without a login there is nothing to try: the folder waits, and does not knock. */
  async #connectWhenResumed(signal: AbortSignal): Promise<Mailbox> {
    await this.#tokens()?.whenResumed(signal)
    signal.throwIfAborted()
    return this.#deps.connections.openMailbox(this.#account)
  }

  #tokens(): AccountTokens | undefined {
    return this.#deps.connections.accessTokens(this.#account, this.#account.imap?.auth ?? null)
  }

  #receive(rule: ReceiveRule): FolderReceiver {
    const { config, codec, emit, now } = this.#deps
    const { partition, gate, commit, checkpoints, isLeaseFresh } = this.#host
    const key = buildCheckpointKey(this.name, rule.folder)
    const receiver = new FolderReceiver(
      {
        account: this.name,
        rule,
        partition,
        checkpointsTopic: config.kafka.topics.checkpoints,
        codec,
        publisher: this.#publisher(rule.folder, rule.keepRaw, rule.select.hasAttachment),
        commit: (records) => commit({ records, source: null }),
        gate,
        isLeaseFresh,
        emit,
        now,
      },
      checkpoints.get(key) ?? null,
    )
    this.#receivers.set(key, receiver)
    return receiver
  }

  #publisher(folder: string, keepRaw: boolean, hasAttachment: boolean | null): MessagePublisher {
    const { config, accounts, codec, store, budget, emit, now } = this.#deps
    if (store === null) throw new Error('an account that receives needs an object store')
    const { maxInlineBodyBytes, maxParts, maxMessageBytes } = config.limits
    const limits = { ...defaultParseLimits, maxInlineBodyBytes, maxParts }
    return new MessagePublisher({
      account: this.name,
      accounts: () => accounts.all.map(({ name }) => name),
      folder,
      store: new MessageStore({ store, prefix: config.storage?.prefix ?? '', limits, keepRaw, hasAttachment }),
      codec,
      topics: config.kafka.topics,
      maxMessageBytes,
      budget,
      patienceMs,
      emit,
      now,
    })
  }

  /** Publishes messages again, under the dedupe ids that they have; the last batch goes along with the result. */
  async #redeliver(
    ...[mailbox, { folder, uidValidity }, uids, headers, keep]: Parameters<CommandSettings['redeliver']>
  ): Promise<Redelivered> {
    const rule = this.#account.receive.find((one) => one.folder === folder)
    const publisher = this.#publisher(folder, rule?.keepRaw ?? false, null)
    let count = 0
    let upTo = 0
    let last: readonly OutgoingRecord[] = []
    for (const slice of sliceUids(uids)) {
      const summaries = (await mailbox.fetchSummaries(slice)).sort((a, b) => a.uid - b.uid)
      for (const batch of planBatches(summaries, batchBounds)) {
        if (last.length > 0) await keep(last, upTo, count)
        const { records, published } = await publisher.prepare(mailbox, uidValidity, batch, this.#host.signal, headers)
        last = records
        upTo = batch.at(-1)?.uid ?? upTo
        count += published.length
      }
    }
    return { count, records: last }
  }
}
