/** The steps to a mail server below its login: name, connection, encryption. Each opens and closes its own socket. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { ServerConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import { tlsFactsOf, type TlsFacts } from '../tls-facts.ts'
import { tlsOptions } from '../tls-options.ts'

export type ProbedServer = Pick<ServerConfig, 'host' | 'port' | 'security' | 'tls'>

/** @returns every address of the name, in the order in which they would be tried */
export const resolveHost = async (host: string): Promise<string[]> =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address)

/** @returns the address that answered */
export const openConnection = async (
  { host, port }: Pick<ServerConfig, 'host' | 'port'>,
  signal: AbortSignal,
): Promise<Socket> => {
  const socket = connectSocket({ host, port, signal })
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

export type StartTlsProtocol = 'smtp' | 'imap'

/** What the client says before the handshake, and how it knows the answer's last line (RFC 3207 4, RFC 9051 6.2.1). */
const dialogues: Readonly<Record<StartTlsProtocol, readonly { say: string | null; last: RegExp; good: RegExp }[]>> = {
  smtp: [
    { say: null, last: /^\d{3} /, good: /^220 / },
    { say: 'EHLO posthorn.invalid', last: /^\d{3} /, good: /^250 / },
    { say: 'STARTTLS', last: /^\d{3} /, good: /^220 / },
  ],
  imap: [
    { say: null, last: /^\* /, good: /^\* OK/i },
    { say: 'p STARTTLS', last: /^p /, good: /^p OK/i },
  ],
}

const longestAnswer = 65_536

/** Resolves with the answer's last line. */
const readAnswer = (socket: Socket, last: RegExp): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ''
    const settle = (error: Error | null, line = ''): void => {
      socket.off('data', onData).off('end', onEnd).off('error', settle)
      if (error === null) resolve(line)
      else reject(error)
    }
    const onEnd = (): void => settle(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }))
    const onData = (bytes: Buffer): void => {
      text += bytes.toString('latin1')
      const lines = text.split(/\r?\n/).slice(0, -1)
      const found = lines.find((line) => last.test(line))
      if (found !== undefined) settle(null, found)
      else if (text.length > longestAnswer) settle(new Error('the answer does not end'))
    }
    socket.on('data', onData).on('end', onEnd).on('error', settle)
  })

const askForTls = async (socket: Socket, protocol: StartTlsProtocol): Promise<void> => {
  for (const { say, last, good } of dialogues[protocol]) {
    if (say !== null) socket.write(`${say}\r\n`)
    const answer = await readAnswer(socket, last)
    if (good.test(answer)) continue
    throw new PosthornError('TLS_NOT_OFFERED', `${say ?? 'the greeting'} was answered with "${answer.slice(0, 200)}"`, {
      stage: 'tls',
      retryable: true,
      action: 'Check the port; a server without STARTTLS may offer TLS from the first byte (security: tls).',
    })
  }
}

/**
 * Shakes hands as the adapter will, by `security`: at once, or after the protocol's own request.
 *
 * @param protocol null: it has no such request
 */
export const probeTls = async (
  server: ProbedServer,
  protocol: StartTlsProtocol | null,
  signal: AbortSignal,
): Promise<TlsFacts> => {
  const { host, security } = server
  const socket = await openConnection(server, signal)
  let secure: TLSSocket | null = null
  const end = (): void => {
    secure?.destroy()
    socket.destroy()
  }
  signal.addEventListener('abort', end, { once: true })
  try {
    if (security === 'starttls' && protocol !== null) await askForTls(socket, protocol)
    secure = connectTls({
      socket,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      host,
      ...tlsOptions(server.tls),
    })
    await once(secure, 'secureConnect')
    const facts = tlsFactsOf(secure)
    if (facts === null) throw new Error('a TLS socket has facts')
    return facts
  } finally {
    signal.removeEventListener('abort', end)
    end()
  }
}
