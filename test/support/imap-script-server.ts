/** An IMAP server of a few lines that says exactly what a test wants before and around STARTTLS and the login. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { TLSSocket } from 'node:tls'
import type { KeyPair } from './certificates.ts'

export interface ImapScript {
  /** Without its line end. Default: `* OK ready`. */
  greeting?: string
  /** In the clear; default none but IMAP4rev1. */
  capabilities?: string
  /** Once encrypted; default: as in the clear. */
  encryptedCapabilities?: string
  /** With it the server knows STARTTLS. */
  pair?: KeyPair
  /** Follows the answer to STARTTLS in the same packet. */
  injected?: string
  /** Of a command, without its tag; default `OK done`. */
  answer?: (command: string) => string | undefined
}

export interface ImapScriptServer {
  port: number
  /** Commands without their tags, in order. */
  commands: string[]
}

export const startImapScript = async (t: TestContext, script: ImapScript = {}): Promise<ImapScriptServer> => {
  const commands: string[] = []
  const sockets = new Set<Socket>()

  const converse = (socket: Socket, isEncrypted: boolean): void => {
    const capabilities = (isEncrypted ? script.encryptedCapabilities : undefined) ?? script.capabilities ?? ''
    let input = ''
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      input += bytes.toString('latin1')
      for (let end = input.indexOf('\r\n'); end >= 0; end = input.indexOf('\r\n')) {
        const [tag = '', ...words] = input.slice(0, end).split(' ')
        input = input.slice(end + 2)
        const command = words.join(' ')
        commands.push(command)
        if (command === 'CAPABILITY') socket.write(`* CAPABILITY IMAP4rev1 ${capabilities}\r\n`)
        if (command === 'STARTTLS' && script.pair !== undefined) {
          socket.removeAllListeners('data')
          socket.write(`${tag} OK begin TLS\r\n${script.injected ?? ''}`)
          converse(new TLSSocket(socket, { isServer: true, ...script.pair }), true)
          return
        }
        socket.write(`${tag} ${script.answer?.(command) ?? 'OK done'}\r\n`)
      }
    })
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.write(`${script.greeting ?? '* OK ready'}\r\n`)
    converse(socket, false)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, commands }
}
