/** A TCP proxy on loopback that delays each direction, so that a round trip takes what it takes over a long line. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface DelayProxy {
  port: number
  close(): void
}

const forward = (from: Socket, to: Socket, delayMs: number): void => {
  const queue: { chunk: Buffer; dueAt: number }[] = []
  let timer: NodeJS.Timeout | null = null
  const deliver = () => {
    timer = null
    const now = performance.now()
    let head = queue[0]
    for (; head !== undefined && head.dueAt <= now; head = queue[0]) {
      to.write(head.chunk)
      queue.shift()
    }
    if (head !== undefined) timer = setTimeout(deliver, Math.max(0, head.dueAt - now))
  }
  from.on('data', (chunk) => {
    queue.push({ chunk, dueAt: performance.now() + delayMs })
    timer ??= setTimeout(deliver, delayMs)
  })
}

/** @param roundTripMs half of it in each direction */
export const startDelayProxy = async (targetPort: number, roundTripMs: number): Promise<DelayProxy> => {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    const closeBoth = () => {
      client.destroy()
      target.destroy()
    }
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        setTimeout(closeBoth, roundTripMs)
      })
    }
    forward(client, target, roundTripMs / 2)
    forward(target, client, roundTripMs / 2)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
