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
import type { FolderFacts, Mailbox, MessageSummary, OpenFolder, SearchCriteria } from './mailbox.ts'
import { toFlowOptions, type ImapAccountOptions } from './imap-options.ts'
import { toUidSet } from './uid-set.ts'

const sliceBytes = 2 * 1_048_576
const logoutTimeoutMs = 2_000

export interface ConnectDependencies {
  /** For `auth.method: oauth2`. */
  accessTokens?: AccessTokens | undefined
}

/** @throws PosthornError `IMAP_UNREACHABLE`, `IMAP_TLS_FAILED`, `IMAP_AUTHENTICATION_FAILED`, … */
export const connectMailbox = (options: ImapAccountOptions, deps: ConnectDependencies = {}): Promise<Mailbox> =>
  withAccessToken(options.auth, deps.accessTokens, (token) => connectOnce(options, token))

const connectOnce = async (options: ImapAccountOptions, token: string | null): Promise<Mailbox> => {
  const flow = new ImapFlow(toFlowOptions(options, token))
  const mailbox = new FlowMailbox(flow)
  try {
    await flow.connect()
    return mailbox
  } catch (error) {
    flow.close()
    throw classifyImapError(error, 'connect', `connecting to ${options.host}:${options.port}`)
  }
}

class FlowMailbox implements Mailbox {
  readonly #flow: ImapFlow
  /** Set by the server's notices; cleared when the folder is searched. */
  #hasChanged = false
  #wake: (() => void) | null = null
  readonly #knownFolders = new Set<string>()

  constructor(flow: ImapFlow) {
    this.#flow = flow
    // Without a listener an 'error' event ends the process; what it means is told by the call that fails.
    flow.on('error', () => this.#wake?.())
    flow.on('close', () => this.#wake?.())
    flow.on('exists', () => {
      this.#hasChanged = true
      this.#wake?.()
    })
  }

  get capabilities(): ReadonlySet<string> {
    return new Set([...this.#flow.capabilities].flatMap(([name, value]) => (value === false ? [] : [name])))
  }

  async open(folder: string, { readOnly }: { readOnly: boolean }): Promise<OpenFolder> {
    const opened = await this.#ask('select', `opening folder ${JSON.stringify(folder)}`, () =>
      this.#flow.mailboxOpen(folder, { readOnly }),
    )
    return { uidValidity: Number(opened.uidValidity), uidNext: opened.uidNext > 0 ? opened.uidNext : null }
  }

  async listFolders(): Promise<FolderFacts[]> {
    const listed = await this.#ask('select', 'listing folders', () => this.#flow.list())
    return listed.map(({ path, specialUse }) => ({ path, specialUse: specialUse ?? null }))
  }

  async findSpecialFolder(use: string): Promise<string | null> {
    return (await this.listFolders()).find(({ specialUse }) => specialUse === use)?.path ?? null
  }

  async createFolder(folder: string): Promise<void> {
    if (await this.#exists(folder)) return
    try {
      await this.#ask('command', `creating folder ${JSON.stringify(folder)}`, () => this.#flow.mailboxCreate(folder))
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

  async searchUids({ messageId }: SearchCriteria, fromUid: number): Promise<number[]> {
    this.#hasChanged = false
    const query = { uid: `${fromUid}:*`, ...(messageId === undefined ? {} : { header: { 'message-id': messageId } }) }
    const found = await this.#ask('fetch', 'searching', () => this.#flow.search(query, { uid: true }))
    // `n:*` means `*:n` where the last UID is below n (RFC 3501 6.4.8).
    return found.filter((uid) => uid >= fromUid)
  }

  async fetchSummaries(uids: readonly number[]): Promise<MessageSummary[]> {
    const summaries: MessageSummary[] = []
    const query = {
      flags: true,
      size: true,
      internalDate: true,
      emailId: true,
      threadId: true,
      headers: ['from', 'to', 'subject'],
    }
    for await (const { uid, size, flags, internalDate, emailId, threadId, headers } of this.#fetch(uids, query)) {
      // Another client's change of flags looks like an answer, with nothing else in it.
      if (size === undefined || headers === undefined) continue
      const receivedAtMs = internalDate === undefined ? 0 : new Date(internalDate).getTime()
      const ids = { emailId: emailId ?? null, threadId: threadId ?? null }
      summaries.push({ uid, size, flags: [...(flags ?? [])], receivedAtMs, header: headers, ...ids })
    }
    return summaries
  }

  async *fetchRaw(uids: readonly number[]): AsyncIterable<{ uid: number; raw: Buffer }> {
    const awaited = new Set(uids)
    // Once more for what came without its source; what is missing even then has vanished.
    for (let attempt = 0; attempt < 2 && awaited.size > 0; attempt += 1) {
      for await (const { uid, source } of this.#fetch([...awaited], { source: true })) {
        if (source !== undefined && awaited.delete(uid)) yield { uid, raw: source }
      }
    }
  }

  async *streamRaw(uid: number, size: number): AsyncIterable<Buffer> {
    let start = 0
    for (;;) {
      const query = { uid: true, source: { start, maxLength: sliceBytes } }
      const found = await this.#ask('fetch', 'fetching a message', () =>
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
    await this.#ask('command', 'setting flags', () =>
      this.#flow.messageFlagsAdd(toUidSet(uids), [...flags], { uid: true, silent: true }),
    )
  }

  async removeFlags(uids: readonly number[], flags: readonly string[]): Promise<void> {
    await this.#ask('command', 'removing flags', () =>
      this.#flow.messageFlagsRemove(toUidSet(uids), [...flags], { uid: true, silent: true }),
    )
  }

  async move(uids: readonly number[], folder: string): Promise<Map<number, number | null>> {
    if (!this.capabilities.has('MOVE')) {
      this.#requireUidPlus()
      const copied = await this.copy(uids, folder)
      // Exactly what the server says it has copied is deleted, nothing else.
      await this.deleteExactly([...copied.keys()])
      return copied
    }
    const moved = await this.#ask('command', `moving to ${JSON.stringify(folder)}`, () =>
      this.#flow.messageMove(toUidSet(uids), folder, { uid: true }),
    )
    return moved.uidMap ?? new Map(uids.map((uid) => [uid, null]))
  }

  async copy(uids: readonly number[], folder: string): Promise<Map<number, number | null>> {
    const copied = await this.#ask('command', `copying to ${JSON.stringify(folder)}`, () =>
      this.#flow.messageCopy(toUidSet(uids), folder, { uid: true }),
    )
    return copied.uidMap ?? new Map(uids.map((uid) => [uid, null]))
  }

  async deleteExactly(uids: readonly number[]): Promise<void> {
    if (uids.length === 0) return
    this.#requireUidPlus()
    await this.#ask('command', 'deleting', () => this.#flow.messageDelete(toUidSet(uids), { uid: true }))
  }

  async append(folder: string, raw: Buffer, flags: readonly string[]): Promise<void> {
    await this.#ask('command', `appending to ${JSON.stringify(folder)}`, () =>
      this.#flow.append(folder, raw, [...flags]),
    )
  }

  async idle(signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (signal.aborted || this.#hasChanged) return
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    const onAbort = () => this.#wake?.()
    signal.addEventListener('abort', onAbort, { once: true })
    const timer = setTimeout(() => this.#wake?.(), timeoutMs)
    const idling = this.#flow.idle().catch((error: unknown) => {
      this.#wake?.()
      throw error
    })
    try {
      await woken
      // Any command ends IDLE; this one also proves that the other side still answers.
      if (!signal.aborted) await this.#ask('fetch', 'waiting for mail', async () => this.#probe(idling))
    } finally {
      this.#wake = null
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      idling.catch(() => undefined)
    }
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

  async #probe(idling: Promise<unknown>): Promise<true> {
    await this.#flow.noop()
    await idling
    if (!this.#flow.usable) throw Object.assign(new Error('the connection is closed'), { code: 'NoConnection' })
    return true
  }

  #fetch(uids: readonly number[], query: Parameters<ImapFlow['fetch']>[1]): ReturnType<ImapFlow['fetch']> {
    return this.#guarded(this.#flow.fetch(toUidSet(uids), { uid: true, ...query }, { uid: true }))
  }

  async *#guarded<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      yield* items
    } catch (error) {
      throw classifyImapError(error, 'fetch', 'fetching messages')
    }
  }

  #requireUidPlus(): void {
    const { capabilities } = this
    if (capabilities.has('UIDPLUS') || capabilities.has('IMAP4REV2')) return
    throw new PosthornError('IMAP_UNSAFE_MOVE', 'the server can not delete exactly these messages (no UIDPLUS)', {
      stage: 'command',
      action: "Use after: seen or none for this account; a plain EXPUNGE would delete other people's messages as well.",
    })
  }

  /** Runs one command; `false` and `undefined` are failures. */
  async #ask<T>(stage: Stage, what: string, run: () => Promise<T | false | undefined>): Promise<T> {
    let answer: T | false | undefined
    try {
      answer = await run()
    } catch (error) {
      throw classifyImapError(error, stage, what)
    }
    if (answer !== false && answer !== undefined) return answer
    const fault = this.#flow.usable ? { responseStatus: 'NO' } : { code: 'NoConnection' }
    throw classifyImapError(fault, stage, what)
  }
}
