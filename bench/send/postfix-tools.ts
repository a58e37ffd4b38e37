/** Postfix's own load generator and sink: `smtp-source` and `smtp-sink`. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { userInfo } from 'node:os'
import { findFreePorts } from '../../src/embedded/free-ports.ts'
import { awaitReady } from '../../src/embedded/await-ready.ts'
import type { Supervisor } from '../../src/embedded/supervisor.ts'
import { createConnection } from 'node:net'
import { once } from 'node:events'

const folders = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/libexec/postfix',
]

/** @throws Error that says how to install it */
export const postfixTool = (name: 'smtp-sink' | 'smtp-source'): string => {
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new Error(
    `${name} is part of Postfix: install it (Debian: apt-get install postfix) or put the folder that has it into PATH`,
  )
}

const connects = async (port: number): Promise<void> => {
  const socket = createConnection({ host: '127.0.0.1', port })
  await once(socket, 'data')
  socket.destroy()
}

/** A sink that takes every mail and keeps none. @returns its port on loopback */
export const startSink = async (supervisor: Supervisor, folder: string): Promise<number> => {
  const [port = 0] = await findFreePorts(1)
  const sink = await supervisor.start({
    name: 'smtp-sink',
    command: postfixTool('smtp-sink'),
    // It refuses to run as root.
    args: [...(userInfo().uid === 0 ? ['-u', 'nobody'] : []), `127.0.0.1:${port}`, '1000'],
    cwd: folder,
    logFile: join(folder, 'smtp-sink.log'),
  })
  const signal = AbortSignal.timeout(30_000)
  await awaitReady(sink, () => connects(port), { name: 'smtp-sink', timeoutMs: 30_000, signal })
  return port
}
