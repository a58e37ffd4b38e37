/**
 * An SMTP server that does exactly what a test says: at any step it gives any reply, drops the connection, or falls
 * silent. What it does not say goes as RFC 5321 wants it. `noDelay`: a reply waits for no acknowledgement of another.
 */
import { EventEmitter, once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createSecureContext, TLSSocket } from 'node:tls'

import type { KeyPair } from './certificates.ts'

export type ServerStep =
  | 'CONNECT'
  | 'EHLO'
  | 'HELO'
  | 'STARTTLS'
  | 'AUTH'
  | 'RSET'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'END'
  | 'QUIT'

export type Reaction =
  /** Lines without line ends; several make one reply, or several. */
  | { reply: string | string[]; thenDrop?: boolean; thenSay?: string }
  | { drop: true }
  | { stall: true }
  /** At DATA only: 354, then this many bytes of content, then the reaction. */
  | { afterBytes: number; react: { reply: string } | { drop: true } | { stall: true } }

export interface Occasion {
  step: ServerStep
  /** The line as the client wrote it; empty at CONNECT and END. */
  line: string
  /** Of this step on this connection, from 1. */
  nth: number
  /** From 1. */
  connection: number
}

/** Undefined: as usual. */
export type Script = (occasion: Occasion) => Reaction | undefined

export interface ScriptServerOptions {
  script?: Script
  /** Keywords of EHLO. */
  extensions?: string[]
  tls?: { mode: 'implicit' | 'starttls'; pair: KeyPair; clientCa?: string }
}

export interface ReceivedMail {
  mail: string
  rcpt: string[]
  /** Dots unstuffed, without the final one. */
  content: string
  connection: number
}

export const usualExtensions = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES', 'SIZE 10000000']

export class ScriptServer extends EventEmitter {
  /** All lines of all connections, in order. */
  readonly lines: string[] = []
  /** What arrived in one piece, as text; by connection. */
  readonly chunks: string[][] = []
  /** Mails that were answered with 2yz. */
  readonly mails: ReceivedMail[] = []
  readonly sockets = new Set<Socket>()
  readonly options: ScriptServerOptions
  connections = 0
  port = 0

  constructor(options: ScriptServerOptions) {
    super()
    this.options = options
  }

  /** Lines that begin with the verb. */
  count(verb: string): number {
    return this.lines.filter((line) => line.toUpperCase().startsWith(verb)).length
  }

  /** Resolves when the server has come to the step, now or earlier. */
  async reached(step: ServerStep | 'CONTENT', times = 1): Promise<void> {
    while ((this.#reached.get(step) ?? 0) < times) await once(this, 'step')
  }

  readonly #reached = new Map<string, number>()

  note(step: ServerStep | 'CONTENT'): void {
    this.#reached.set(step, (this.#reached.get(step) ?? 0) + 1)
    this.emit('step')
  }
}

export const startScriptServer = async (t: TestContext, options: ScriptServerOptions = {}): Promise<ScriptServer> => {
  const server = new ScriptServer(options)
  const listener = createServer({ noDelay: true }, (socket) => {
    server.connections += 1
    server.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => server.sockets.delete(socket))
    const secure = options.tls?.mode === 'implicit' ? encrypt(socket, options) : socket
    new Dialogue(server, secure, server.connections).greet()
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  server.port = (listener.address() as AddressInfo).port
  t.after(() => {
    for (const socket of server.sockets) socket.destroy()
    listener.close()
  })
  return server
}

const encrypt = (socket: Socket, { tls }: ScriptServerOptions): Socket => {
  const secureContext = createSecureContext({ ...tls?.pair, ...(tls?.clientCa ? { ca: tls.clientCa } : {}) })
  const wantsClient = tls?.clientCa !== undefined
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext,
    requestCert: wantsClient,
    rejectUnauthorized: wantsClient,
  })
  secure.on('error', () => undefined)
  return secure
}

class Dialogue {
  readonly #server: ScriptServer
  readonly #connection: number
  readonly #counts = new Map<ServerStep, number>()
  #socket: Socket
  #input = ''
  #encrypted: boolean
  #silent = false
  #content: { afterBytes: number; react: Reaction } | boolean = false
  #mail = ''
  #rcpt: string[] = []
  #login = 0

  constructor(server: ScriptServer, socket: Socket, connection: number) {
    this.#server = server
    this.#socket = socket
    this.#connection = connection
    this.#encrypted = server.options.tls?.mode === 'implicit'
    server.chunks[connection - 1] = []
    this.#listen()
  }

  greet(): void {
    this.#react('CONNECT', '', ['220 script.example ESMTP'])
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#server.chunks[this.#connection - 1]?.push(chunk.toString('latin1'))
      this.#input += chunk.toString('latin1')
      this.#work()
    })
  }

  #work(): void {
    while (!this.#silent && !this.#socket.destroyed) {
      if (this.#content !== false) {
        if (!this.#readContent()) return
        continue
      }
      const end = this.#input.indexOf('\r\n')
      if (end < 0) return
      const line = this.#input.slice(0, end)
      this.#input = this.#input.slice(end + 2)
      this.#server.lines.push(line)
      this.#command(line)
    }
  }

  #command(line: string): void {
    if (this.#login > 0) return this.#continueLogin()
    const verb = line.split(/[ :]/, 1)[0]?.toUpperCase() ?? ''
    const { tls, extensions = usualExtensions } = this.#server.options
    switch (verb) {
      case 'EHLO': {
        const offered = tls?.mode === 'starttls' && !this.#encrypted ? [...extensions, 'STARTTLS'] : extensions
        return this.#react('EHLO', line, asReply(250, ['script.example', ...offered]))
      }
      case 'HELO':
        return this.#react('HELO', line, ['250 script.example'])
      case 'STARTTLS':
        return this.#react('STARTTLS', line, tls ? ['220 go ahead'] : ['502 no TLS here'], () => {
          if (tls) this.#startTls()
        })
      case 'AUTH': {
        const more = { 'AUTH LOGIN': 2, 'AUTH CRAM-MD5': 1 }[line.toUpperCase()] ?? 0
        const usual = more === 0 ? '235 2.7.0 welcome' : more === 2 ? '334 VXNlcm5hbWU6' : '334 PDFAc2NyaXB0Pg=='
        return this.#react('AUTH', line, [usual], () => (this.#login = more))
      }
      case 'MAIL':
        return this.#react('MAIL', line, ['250 2.1.0 sender ok'], () => {
          this.#mail = line
          this.#rcpt = []
        })
      case 'RCPT':
        if (this.#mail === '') return this.#say(['503 5.5.1 MAIL first'])
        return this.#react('RCPT', line, ['250 2.1.5 recipient ok'], () => this.#rcpt.push(line))
      case 'DATA':
        if (this.#rcpt.length === 0) return this.#react('DATA', line, ['554 5.5.1 no valid recipients'])
        return this.#react('DATA', line, ['354 go ahead'])
      case 'RSET':
        return this.#react('RSET', line, ['250 2.0.0 reset'], () => (this.#mail = ''))
      case 'QUIT':
        return this.#react('QUIT', line, ['221 2.0.0 bye'], () => this.#socket.end())
      default:
        return this.#say(['500 5.5.2 what?'])
    }
  }

  #continueLogin(): void {
    this.#login -= 1
    if (this.#login === 1) return this.#say(['334 UGFzc3dvcmQ6'])
    this.#react('AUTH', '', ['235 2.7.0 welcome'])
  }

  /** @returns false when more input is needed */
  #readContent(): boolean {
    const limit = typeof this.#content === 'object' ? this.#content : null
    const text = `\r\n${this.#input}`
    const end = text.indexOf('\r\n.\r\n')
    if (limit !== null && (this.#input.length >= limit.afterBytes || end >= 0)) {
      this.#content = false
      this.#input = ''
      this.#do(limit.react)
      if ('reply' in limit.react) this.#content = true
      return true
    }
    if (end < 0) return false
    const content = this.#input.slice(0, Math.max(0, end)).replace(/(^|\r\n)\.\./g, '$1.')
    this.#input = this.#input.slice(end + 3)
    this.#content = false
    const mail = { mail: this.#mail, rcpt: this.#rcpt, content: Buffer.from(content, 'latin1').toString('utf8') }
    this.#mail = ''
    this.#rcpt = []
    this.#react('END', '', ['250 2.0.0 Ok: queued as Q1'], () => {
      this.#server.mails.push({ ...mail, connection: this.#connection })
    })
    return true
  }

  #react(step: ServerStep, line: string, usual: string[], onAccepted?: () => unknown): void {
    const nth = (this.#counts.get(step) ?? 0) + 1
    this.#counts.set(step, nth)
    const reaction = this.#server.options.script?.({ step, line, nth, connection: this.#connection })
    if (reaction !== undefined && 'afterBytes' in reaction) {
      this.#say(['354 go ahead'])
      this.#content = reaction
    } else if (reaction === undefined) {
      this.#say(usual)
      if (step === 'DATA' && usual[0]?.startsWith('354')) this.#content = true
      onAccepted?.()
    } else {
      this.#do(reaction)
      const said = 'reply' in reaction ? [reaction.reply].flat().join('\n') : ''
      if (step === 'DATA' && said.startsWith('354')) this.#content = true
      if (said.startsWith('2')) onAccepted?.()
    }
    this.#server.note(step)
  }

  #do(reaction: Reaction): void {
    if ('drop' in reaction) this.#drop()
    else if ('stall' in reaction) this.#silent = true
    else if ('reply' in reaction) {
      const after = 'thenSay' in reaction ? (reaction.thenSay ?? '') : ''
      this.#say([reaction.reply].flat(), after)
      if ('thenDrop' in reaction && reaction.thenDrop) this.#socket.end()
    }
  }

  /** Without a goodbye, also for what is still on its way to the client. */
  #drop(): void {
    this.#socket.destroy()
  }

  /** @param after written in the same piece, as it is */
  #say(lines: string[], after = ''): void {
    this.#socket.write(`${lines.join('\r\n')}\r\n${after}`)
  }

  #startTls(): void {
    this.#socket.removeAllListeners('data')
    this.#encrypted = true
    this.#input = ''
    this.#socket = encrypt(this.#socket, this.#server.options)
    this.#listen()
  }
}

const asReply = (code: number, lines: string[]): string[] =>
  lines.map((line, at) => `${code}${at < lines.length - 1 ? '-' : ' '}${line}`)
