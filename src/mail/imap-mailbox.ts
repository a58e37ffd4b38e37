/**
 * A mailbox over IMAP: the only importer of imapflow. One connection, one selected folder at a time; broken once, it
 * stays broken, and its user makes a new one.
 *
 * imapflow answers `false` or `undefined` where a command failed or the connection is gone; here every such answer is
 * a `PosthornError`. No command is sent while a fetch is being read (the library would wait for itself), and nothing is
 * ever deleted by a bare EXPUNGE, which would take other people's `\Deleted` messages along (RFC 4315 2.1).
 */
import { ImapFlow } from 'imapflow'
import { PosthornError, type Stage } from '../errors.ts'
import { withAccessToken, type AccessTokens } from './access-tokens.ts'
import { classifyImapError } from './classify-imap-error.ts'
import { requireExactDeletion, unsafeMove } from './exact-deletion.ts'
import type { FetchAnswer } from './fetch-answer.ts'
import type {
  ConnectedMailbox,
  FolderFacts,
  MessageSummary,
  OpenFolder,
  ReadSummary,
  SearchCriteria,
  WaitOptions,
} from './mailbox.ts'
import { Faults } from './imap-faults.ts'
import { prepareLogin } from './imap-login.ts'
import { toFlowOptions, type ImapAccountOptions } from './imap-options.ts'
import { toSearchQuery } from './imap-search.ts'
import { isSummary, summaryQuery, toSummary } from './imap-summary.ts'
import { FolderWatch } from './imap-watch.ts'
import { toUidSet } from './uid-set.ts'
import { MessageFetcher } from './fetch-messages.ts'

const sliceBytes = 1_048_576
const logoutTimeoutMs = 2_000

export interface ConnectDependencies {
  /** For `auth.method: oauth2`. */
  accessTokens?: AccessTokens | undefined
}

/** @throws PosthornError `IMAP_UNREACHABLE`, `TLS_…`, `IMAP_AUTHENTICATION_FAILED`, … */
export const connectMailbox = (
  options: ImapAccountOptions,
  deps: ConnectDependencies = {},
): Promise<ConnectedMailbox> => withAccessToken(options.auth, deps.accessTokens, (token) => connectOnce(options, token))

const connectOnce = async (options: ImapAccountOptions, token: string | null): Promise<ConnectedMailbox> => {
  const { host, port, auth, allowPlaintextAuth } = options
  const server = `${host}:${port}`
  const faults = new Faults()
  const flow = new ImapFlow({ ...toFlowOptions(options, token), logger: faults.logger })
  const loginWay = auth === null ? () => null : prepareLogin(flow, { server, auth, allowPlaintextAuth })
  const mailbox = new FlowMailbox(flow, faults, options.probeIntervalMs)
  try {
    await flow.connect()
    mailbox.loginWay = loginWay()
    return mailbox
  } catch (error) {
    flow.close()
    throw classifyImapError(error, 'connect', `connecting to ${server}`)
  }
}

const hasSource = ({ source }: FetchAnswer): boolean => source !== undefined

class FlowMailbox implements ConnectedMailbox {
  loginWay: string | null = null
  readonly #flow: ImapFlow
  readonly #faults: Faults
  readonly #watch: FolderWatch
  readonly #fetcher: MessageFetcher
  readonly #knownFolders = new Set<string>()

  constructor(flow: ImapFlow, faults: Faults, probeIntervalMs: number) {
    this.#flow = flow
    this.#faults = faults
    this.#watch = new FolderWatch(flow, probeIntervalMs)
    this.#fetcher = new MessageFetcher(flow)
  }

  get capabilities(): ReadonlySet<string> {
    return new Set([...this.#flow.capabilities].flatMap(([name, value]) => (value === false ? [] : [name])))
  }

  async open(folder: string, { readOnly }: { readOnly: boolean }): Promise<OpenFolder> {
    const opened = await this.#ask('select', ['SELECT', 'EXAMINE'], `opening folder ${JSON.stringify(folder)}`, () =>
      this.#flow.mailboxOpen(folder, { readOnly }),
    )
    this.#watch.clear()
    const uidValidity = Number(opened.uidValidity)
    if (uidValidity > 0) return { uidValidity, uidNext: opened.uidNext > 0 ? opened.uidNext : null }
    // RFC 3501 6.3.1: such a server has no unique identifiers, so nothing could ever be told from anything else.
    const message = `folder ${JSON.stringify(folder)} has no UIDVALIDITY`
    throw new PosthornError('IMAP_COMMAND_FAILED', message, { stage: 'select' })
  }

  async uidNextOf(folder: string): Promise<number | null> {
    const { uidNext } = await this.#ask('select', ['STATUS'], `looking at ${JSON.stringify(folder)}`, () =>
      this.#flow.status(folder, { uidNext: true }),
    )
    return uidNext ?? null
  }

  async listFolders(): Promise<FolderFacts[]> {
    const listed = await this.#ask('select', ['LIST', 'LSUB'], 'listing folders', () => this.#flow.list())
    return listed.map(({ path, specialUse }) => ({ path, specialUse: specialUse ?? null }))
  }

  async findSpecialFolder(use: string): Promise<string | null> {
    return (await this.listFolders()).find(({ specialUse }) => specialUse === use)?.path ?? null
  }

  async createFolder(folder: string): Promise<void> {
    if (await this.#exists(folder)) return
    try {
      await this.#ask('command', ['CREATE'], `creating folder ${JSON.stringify(folder)}`, () =>
        this.#flow.mailboxCreate(folder),
      )
    } catch (error) {
      // Somebody else may have been quicker; not every server says so with ALREADYEXISTS (RFC 5530).
      if (!(await this.#exists(folder))) throw error
    }
    this.#knownFolders.add(folder)
  }

  async #exists(folder: string): Promise<boolean> {
    if (this.#knownFolders.has(folder)) return true
    for (const { path } of await this.listFolders()) this.#knownFolders.add(path)
    return this.#knownFolders.has(folder)
  }

  async searchUids(criteria: SearchCriteria, fromUid: number, toUid?: number): Promise<number[]> {
    const query = toSearchQuery(criteria, fromUid, toUid ?? '*')
    const found = await this.#ask('fetch', ['SEARCH'], 'searching', () => this.#flow.search(query, { uid: true }))
    // `n:*` means `*:n` where the last UID is below n (RFC 3501 6.4.8).
    return found.filter((uid) => uid >= fromUid)
  }

  async fetchSummaries<T = MessageSummary>(
    uids: readonly number[],
    read: ReadSummary<T | MessageSummary> = (summary) => summary,
  ): Promise<(T | MessageSummary)[]> {
    const summaries: (T | MessageSummary)[] = []
    const awaited = new Set(uids)
    // Once more for what came incomplete; what is missing even then has vanished or can't be described.
    for (let attempt = 0; attempt < 2 && awaited.size > 0; attempt += 1) {
      const items = this.#guarded(this.#fetcher.fetch([...awaited], summaryQuery, isSummary))
      for await (const item of items) {
        const told = toSummary(item)
        if (told !== null && awaited.delete(told.summary.uid)) summaries.push(read(told.summary, told.header))
      }
    }
    return summaries
  }

  async *fetchRaw(uids: readonly number[]): AsyncIterable<{ uid: number; raw: Buffer }> {
    const awaited = new Set(uids)
    // Once more for what came without its source; what is missing even then has vanished.
    for (let attempt = 0; attempt < 2 && awaited.size > 0; attempt += 1) {
      const items = this.#guarded(this.#fetcher.fetch([...awaited], { source: true }, hasSource))
      for await (const { uid, source } of items) {
        if (uid !== undefined && source instanceof Buffer && awaited.delete(uid)) yield { uid, raw: source }
      }
    }
  }

  async *streamRaw(uid: number, size: number): AsyncIterable<Buffer> {
    let start = 0
    for (;;) {
      const query = { uid: true, source: { start, maxLength: sliceBytes } }
      const found = await this.#ask('fetch', ['FETCH'], 'fetching a message', () =>
        this.#flow.fetchOne(String(uid), query, { uid: true }),
      )
      const slice = found.source ?? Buffer.alloc(0)
      if (slice.length > 0) yield slice
      start += slice.length
      if (slice.length < sliceBytes) break
    }
    if (start > 0 || size === 0) return
    throw new PosthornError('IMAP_CONNECTION_LOST', `message ${uid} came without content`, {
      stage: 'fetch',
      retryable: true,
    })
  }

  async addFlags(uids: readonly number[], flags: readonly string[]): Promise<void> {
    const { mailbox } = this.#flow
    const permanent = mailbox === false ? undefined : mailbox.permanentFlags
    const refused = flags.filter((flag) => permanent !== undefined && !permanent.has('\\*') && !permanent.has(flag))
    if (refused.length > 0) {
      const message = `the folder does not keep the flags ${refused.join(' ')}`
      throw new PosthornError('IMAP_COMMAND_FAILED', message, { stage: 'command' })
    }
    await this.#ask('command', ['STORE'], 'setting flags', () =>
      this.#flow.messageFlagsAdd(toUidSet(uids), [...flags], { uid: true, silent: true }),
    )
  }

  async removeFlags(uids: readonly number[], flags: readonly string[]): Promise<void> {
    await this.#ask('command', ['STORE'], 'removing flags', () =>
      this.#flow.messageFlagsRemove(toUidSet(uids), [...flags], { uid: true, silent: true }),
    )
  }

  async move(uids: readonly number[], folder: string): Promise<Map<number, number | null>> {
    if (!this.capabilities.has('MOVE')) throw unsafeMove('the server has no MOVE')
    const moved = await this.#ask('command', ['MOVE'], `moving to ${JSON.stringify(folder)}`, () =>
      this.#flow.messageMove(toUidSet(uids), folder, { uid: true }),
    )
    if (moved.uidMap !== undefined) return moved.uidMap
    const left = new Set(await this.searchUids({}, Math.min(...uids), Math.max(...uids)))
    return new Map(uids.filter((uid) => !left.has(uid)).map((uid) => [uid, null]))
  }

  async copy(uids: readonly number[], folder: string): Promise<Map<number, number | null>> {
    const copied = await this.#ask('command', ['COPY'], `copying to ${JSON.stringify(folder)}`, () =>
      this.#flow.messageCopy(toUidSet(uids), folder, { uid: true }),
    )
    return copied.uidMap ?? new Map(uids.map((uid) => [uid, null]))
  }

  async deleteExactly(uids: readonly number[]): Promise<void> {
    if (uids.length === 0) return
    requireExactDeletion(this)
    await this.#ask('command', ['STORE', 'EXPUNGE'], 'deleting', () =>
      this.#flow.messageDelete(toUidSet(uids), { uid: true }),
    )
  }

  async append(folder: string, raw: Buffer, flags: readonly string[]): Promise<void> {
    await this.#ask('command', ['APPEND'], `appending to ${JSON.stringify(folder)}`, () =>
      this.#flow.append(folder, raw, [...flags]),
    )
  }

  wait(signal: AbortSignal, options: WaitOptions): Promise<void> {
    return this.#watch.wait(signal, options, async () => {
      await this.#ask('fetch', ['NOOP'], 'waiting for mail', () => this.#probe())
    })
  }

  async close(): Promise<void> {
    const timer = setTimeout(() => this.#flow.close(), logoutTimeoutMs)
    try {
      if (this.#flow.usable) await this.#flow.logout()
    } catch {
      // The connection is gone, which is what was wanted.
    } finally {
      clearTimeout(timer)
      this.#flow.close()
    }
  }

  async #probe(): Promise<true> {
    await this.#flow.noop()
    if (!this.#flow.usable) throw Object.assign(new Error('the connection is closed'), { code: 'NoConnection' })
    return true
  }

  async *#guarded<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      yield* items
    } catch (error) {
      throw classifyImapError(error, 'fetch', 'fetching messages')
    }
  }

  /** Runs a command, or several; `false` and `undefined` are failures. */
  async #ask<T>(
    stage: Stage,
    verbs: readonly string[],
    what: string,
    run: () => Promise<T | false | undefined>,
  ): Promise<T> {
    let answer: T | false | undefined
    try {
      answer = await run()
    } catch (error) {
      throw classifyImapError(error, stage, what)
    }
    if (answer !== false && answer !== undefined) return answer
    const fault = this.#flow.usable ? (this.#faults.take(verbs) ?? { responseStatus: 'NO' }) : { code: 'NoConnection' }
    throw classifyImapError(fault, stage, what)
  }
}
