import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

/** Greets whoever completes the handshake, without TLS whoever comes; then says nothing. */
export const startTlsServer = async (
  t: TestContext,
  options: TlsOptions | 'plain',
  greeting: string,
): Promise<number> => {
  const sockets = new Set<Socket>()
  const greet = (socket: Socket): void => {
    socket.on('error', () => undefined)
    socket.write(greeting)
  }
  const server = options === 'plain' ? createServer(greet) : createTlsServer(options, greet)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Takes TLS off in front of a server that has none. @returns its port */
export const startTlsFront = async (t: TestContext, options: TlsOptions, port: number): Promise<number> => {
  const sockets = new Set<Socket>()
  const server = createTlsServer(options, (socket) => {
    const upstream = connect(port, '127.0.0.1')
    for (const end of [socket, upstream]) sockets.add(end.on('error', () => undefined))
    socket.pipe(upstream).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
