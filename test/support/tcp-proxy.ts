/** A TCP proxy whose connections can be made to swallow everything in silence, as a dropped route does. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Scope } from './worker.ts'

export interface TcpProxy {
  port: number
  /** So many connections have been made. */
  readonly connections: number
  /** The connections of now stay open and carry nothing any more, in either direction; new ones work. */
  swallow(): void
}

export const startTcpProxy = async (t: Scope, target: { host: string; port: number }): Promise<TcpProxy> => {
  const pairs: [Socket, Socket][] = []
  const server = createServer((client) => {
    const upstream = connect(target)
    pairs.push([client, upstream])
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of pairs.flat()) socket.destroy()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return pairs.length
    },
    swallow: () => {
      for (const socket of pairs.flat()) {
        socket.unpipe()
        socket.resume()
      }
    },
  }
}
