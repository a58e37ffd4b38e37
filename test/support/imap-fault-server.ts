/**
 * An IMAP server that does exactly what a test says: at any command it answers anything, tells news of its own, drops the
 * connection, or falls silent. What the test does not say goes as RFC 3501 wants it (with RFC 2177, 4315 and 6851 where
 * their capabilities are given). Sizes count characters: mail in it is ASCII.
 */
import { EventEmitter, once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

import type { ImapConfig } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { describeMessage, quoted, ScriptFolder, store, unquote, type StoredMessage } from './imap-fault-folder.ts'

export type ImapReaction =
  /** The tagged answer, without tag: `NO [LIMIT] slow down`. */
  | { answer: string }
  /** Untagged lines without `* `, before the usual answer. */
  | { tell: string[] }
  | { drop: true }
  /** `done`: the command is carried out, its answer is not sent. */
  | { stall: true | 'done' }
  | { bye: string }
  /** The usual answer with each line changed; null: left out. */
  | { change: (line: string) => string | null }

export interface ImapOccasion {
  /** `LOGIN`, `SELECT`, `UID FETCH`, …; `CONNECT` for the greeting. */
  verb: string
  /** Without the verb. */
  args: string
  /** Of this verb on this connection, from 1. */
  nth: number
  connection: number
}

export interface ImapServerOptions {
  /** Undefined: as usual. */
  script?: (occasion: ImapOccasion) => ImapReaction | undefined
  capabilities?: readonly string[]
}

const usualCapabilities = ['IDLE', 'UIDPLUS', 'MOVE', 'SPECIAL-USE']

export class ImapScriptServer extends EventEmitter {
  readonly folders = new Map<string, ScriptFolder>([['INBOX', new ScriptFolder()]])
  readonly specialUse = new Map<string, string>()
  /** Of connection 3: `3 UID FETCH 1:4 (…)`. */
  readonly commands: string[] = []
  readonly sessions = new Set<Session>()
  readonly options: ImapServerOptions
  connections = 0
  port = 0

  constructor(options: ImapServerOptions) {
    super()
    this.options = options
  }

  get inbox(): ScriptFolder {
    return this.folder('INBOX')
  }

  folder(name: string): ScriptFolder {
    const folder = this.folders.get(name)
    if (folder === undefined) throw new Error(`no folder ${name}`)
    return folder
  }

  /** Delivers to INBOX and tells whoever has it open. */
  deliver(raw: string, flags: readonly string[] = [], receivedAt = new Date()): StoredMessage {
    const message = this.inbox.add(raw, flags, receivedAt)
    for (const session of this.sessions) session.tell(this.inbox)
    return message
  }

  count(verb: string): number {
    return this.commands.filter((line) => line.replace(/^\d+ /, '').startsWith(verb)).length
  }

  async reached(verb: string, times = 1): Promise<void> {
    while (this.count(verb) < times) await once(this, 'command')
  }

  config(changes: Partial<ImapConfig> = {}): ImapConfig {
    return {
      host: '127.0.0.1',
      port: this.port,
      security: 'none',
      tls: { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' },
      auth: { method: 'password', user: 'u', password: new Secret('p') },
      allowPlaintextAuth: true,
      connectTimeoutMs: 10_000,
      connections: 5,
      probeIntervalMs: 60_000,
      commandTimeoutMs: 20_000,
      ...changes,
    }
  }
}

export const startImapScriptServer = async (
  t: TestContext,
  options: ImapServerOptions = {},
): Promise<ImapScriptServer> => {
  const server = new ImapScriptServer(options)
  const listener = createServer((socket) => {
    server.connections += 1
    const session = new Session(server, socket, server.connections)
    server.sessions.add(session)
    socket.on('error', () => undefined)
    socket.once('close', () => server.sessions.delete(session))
    session.greet()
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  server.port = (listener.address() as AddressInfo).port
  t.after(() => {
    for (const { socket } of server.sessions) socket.destroy()
    listener.close()
  })
  return server
}

class Session {
  readonly socket: Socket
  readonly #server: ImapScriptServer
  readonly #connection: number
  readonly #counts = new Map<string, number>()
  #input = ''
  #partial = ''
  #literalLeft = 0
  #isSilent = false
  #selected: ScriptFolder | null = null
  #idleTag: string | null = null

  constructor(server: ImapScriptServer, socket: Socket, connection: number) {
    this.#server = server
    this.socket = socket
    this.#connection = connection
    socket.on('data', (chunk: Buffer) => {
      this.#input += chunk.toString('latin1')
      this.#read()
    })
  }

  greet(): void {
    this.#react('CONNECT', '', '*', () => ['OK script.example ready'])
  }

  tell(folder: ScriptFolder): void {
    if (this.#selected === folder && this.#idleTag !== null) this.#write(`* ${folder.messages.length} EXISTS`)
  }

  #write(line: string): void {
    if (!this.#isSilent && !this.socket.destroyed) this.socket.write(`${line}\r\n`, 'latin1')
  }

  #read(): void {
    while (!this.#isSilent) {
      if (this.#literalLeft > 0) {
        if (this.#input.length < this.#literalLeft) return
        this.#partial += this.#input.slice(0, this.#literalLeft)
        this.#input = this.#input.slice(this.#literalLeft)
        this.#literalLeft = 0
      }
      const end = this.#input.indexOf('\r\n')
      if (end < 0) return
      const line = this.#partial + this.#input.slice(0, end)
      this.#input = this.#input.slice(end + 2)
      const literal = /\{(\d+)\+?\}$/.exec(line)
      if (literal !== null) {
        this.#partial = `${line}\r\n`
        this.#literalLeft = Number(literal[1])
        if (!line.endsWith('+}')) this.#write('+ go on')
        continue
      }
      this.#partial = ''
      this.#command(line)
    }
  }

  #command(line: string): void {
    if (line.toUpperCase() === 'DONE') {
      if (this.#idleTag !== null) this.#write(`${this.#idleTag} OK idled`)
      this.#idleTag = null
      return
    }
    const [, tag = '', verb = '', args = ''] = /^(\S+) ((?:UID )?\S+) ?([\s\S]*)$/i.exec(line) ?? []
    this.#server.commands.push(`${this.#connection} ${verb.toUpperCase()} ${args}`)
    this.#react(verb.toUpperCase(), args, tag, () => this.#answer(verb.toUpperCase(), args, tag))
    this.#server.emit('command')
  }

  /** @param usual untagged lines, and last the tagged answer without its tag */
  #react(verb: string, args: string, tag: string, usual: () => string[]): void {
    const nth = (this.#counts.get(verb) ?? 0) + 1
    this.#counts.set(verb, nth)
    const occasion = { verb, args, nth, connection: this.#connection }
    const reaction = this.#server.options.script?.(occasion) ?? { tell: [] }
    if ('drop' in reaction) return void this.socket.destroy()
    if ('stall' in reaction && reaction.stall === 'done') usual()
    if ('stall' in reaction) return void (this.#isSilent = true)
    if ('bye' in reaction) return void this.socket.end(`* BYE ${reaction.bye}\r\n`)
    if ('answer' in reaction) return this.#write(`${tag} ${reaction.answer}`)
    if ('tell' in reaction) for (const news of reaction.tell) this.#write(`* ${news}`)
    const lines = usual()
    const change = 'change' in reaction ? reaction.change : (line: string) => line
    for (const [index, line] of lines.entries()) {
      const changed = change(line)
      if (changed === null || changed === '') continue
      this.#write(index === lines.length - 1 ? `${tag} ${changed}` : `* ${changed}`)
    }
  }

  #answer(verb: string, args: string, tag: string): string[] {
    const { folders, options } = this.#server
    const capabilities = options.capabilities ?? usualCapabilities
    switch (verb) {
      case 'CAPABILITY':
        return [`CAPABILITY IMAP4rev1 ${capabilities.join(' ')}`, 'OK done']
      case 'SELECT':
      case 'EXAMINE': {
        const folder = folders.get(unquote(args))
        this.#selected = folder ?? null
        if (folder === undefined) return ['NO [NONEXISTENT] no such folder']
        const { messages, uidValidity, uidNext } = folder
        const codes = [`OK [UIDVALIDITY ${uidValidity}] valid`, `OK [UIDNEXT ${uidNext}] next`]
        const flags = [
          'FLAGS (\\Seen \\Deleted \\Flagged)',
          'OK [PERMANENTFLAGS (\\Seen \\Deleted \\Flagged \\*)] kept',
        ]
        return [
          ...flags,
          `${messages.length} EXISTS`,
          ...codes,
          `OK [READ-${verb === 'SELECT' ? 'WRITE' : 'ONLY'}] open`,
        ]
      }
      case 'LIST': {
        const [, pattern = ''] = /\s("(?:[^"\\]|\\.)*"|\S+)(?: RETURN .*)?$/i.exec(args) ?? []
        const wanted = unquote(pattern)
        const found = [...folders.keys()].filter((name) => wanted === '*' || wanted === '%' || wanted === name)
        const uses = this.#server.specialUse
        return [...found.map((name) => `LIST (${uses.get(name) ?? ''}) "/" ${quoted(name)}`), 'OK listed']
      }
      case 'STATUS': {
        const name = unquote(args.slice(0, args.lastIndexOf('(')).trim())
        const folder = folders.get(name)
        if (folder === undefined) return ['NO [NONEXISTENT] no such folder']
        return [`STATUS ${quoted(name)} (MESSAGES ${folder.messages.length} UIDNEXT ${folder.uidNext})`, 'OK status']
      }
      case 'CREATE':
        if (folders.has(unquote(args))) return ['NO [ALREADYEXISTS] there']
        folders.set(unquote(args), new ScriptFolder())
        return ['OK created']
      case 'IDLE':
        this.#write('+ idling')
        this.#idleTag = tag
        if (this.#selected !== null) this.tell(this.#selected)
        return ['']
      case 'LOGOUT':
        setImmediate(() => this.socket.end())
        return ['BYE bye', 'OK bye']
      case 'NOOP':
        return [...(this.#selected === null ? [] : [`${this.#selected.messages.length} EXISTS`]), 'OK noop']
      default:
        return verb.startsWith('UID ') ? this.#uidCommand(verb.slice(4), args) : ['OK done']
    }
  }

  #uidCommand(verb: string, args: string): string[] {
    const folder = this.#selected
    if (folder === null) return ['BAD nothing is selected']
    if (verb === 'SEARCH') return [`SEARCH ${folder.search(args).join(' ')}`, 'OK searched']
    const [, set = '', rest = ''] = /^(\S+) ?([\s\S]*)$/.exec(args) ?? []
    const meant = folder.inSet(set)
    switch (verb) {
      case 'FETCH':
        return [...meant.map((message) => describeMessage(folder, message, rest)), 'OK fetched']
      case 'STORE':
        store(meant, rest)
        return ['OK stored']
      case 'EXPUNGE': {
        const deleted = meant.filter(({ flags }) => flags.has('\\Deleted')).map(({ uid }) => uid)
        return [...folder.remove(new Set(deleted)).map((seq) => `${seq} EXPUNGE`), 'OK expunged']
      }
      case 'COPY':
      case 'MOVE': {
        const target = this.#server.folders.get(unquote(rest))
        if (target === undefined) return ['NO [TRYCREATE] no such folder']
        const copies = meant.map(({ raw, flags, receivedAt }) => target.add(raw, [...flags], receivedAt))
        const codes = [meant, copies].map((list) => list.map(({ uid }) => uid).join(','))
        const code = meant.length === 0 ? '' : `[COPYUID ${target.uidValidity} ${codes.join(' ')}] `
        const gone = verb === 'MOVE' ? folder.remove(new Set(meant.map(({ uid }) => uid))) : []
        return [...gone.map((seq) => `${seq} EXPUNGE`), `OK ${code}done`]
      }
      default:
        return ['BAD what?']
    }
  }
}
