/** An SMTP and IMAP server (GreenMail) of one's own, on loopback. It forgets everything when it ends. */
import { createConnection } from 'node:net'
import { mkdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { awaitReady } from './await-ready.ts'
import { explainFailure } from './explain-failure.ts'
import { findFreePorts } from './free-ports.ts'
import type { ServerProcess, Supervisor } from './supervisor.ts'

export interface MailUser {
  /** Also the login. */
  address: string
  password: string
}

export interface MailServerOptions {
  supervisor: Supervisor
  java: string
  jars: readonly string[]
  dataDir: string
  /** Null: any user with any password, made at the first login. */
  users: readonly MailUser[] | null
  signal: AbortSignal
}

export interface MailServer {
  host: string
  smtpPort: number
  imapPort: number
  process: ServerProcess
}

const greets = (port: number, greeting: RegExp): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('data', (chunk) => {
      socket.destroy()
      if (greeting.test(chunk.toString())) resolve()
      else reject(new Error('another server answers'))
    })
    socket.once('error', reject)
    socket.setTimeout(1_000, () => socket.destroy(new Error('no answer')))
  })

/** @throws PosthornError `ENVIRONMENT_UNSUITABLE` */
export const startMailServer = async (options: MailServerOptions): Promise<MailServer> => {
  const { supervisor, java, jars, dataDir, users, signal } = options
  await mkdir(dataDir, { recursive: true }).catch((error: unknown) => {
    throw explainFailure(error, 'preparing the mail server')
  })
  const [smtpPort = 0, imapPort = 0] = await findFreePorts(2)
  // `local:password@domain`; with `users.login=email` the login is the whole address.
  const accounts = users?.map(({ address, password }) => address.replace('@', `:${password}@`)).join(',')
  const server = await supervisor.start({
    name: 'the mail server',
    command: java,
    args: [
      '-Xmx128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dgreenmail.smtp.hostname=127.0.0.1',
      `-Dgreenmail.smtp.port=${smtpPort}`,
      '-Dgreenmail.imap.hostname=127.0.0.1',
      `-Dgreenmail.imap.port=${imapPort}`,
      ...(accounts === undefined ? ['-Dgreenmail.auth.disabled'] : [`-Dgreenmail.users=${accounts}`]),
      '-Dgreenmail.users.login=email',
      '-cp',
      jars.join(delimiter),
      'com.icegreen.greenmail.standalone.GreenMailStandaloneRunner',
    ],
    cwd: dataDir,
    logFile: join(dataDir, 'server.log'),
  })
  const probe = async () => {
    await Promise.all([greets(smtpPort, /^220 /), greets(imapPort, /^\* OK/)])
  }
  await awaitReady(server, probe, { name: 'the mail server', timeoutMs: 60_000, signal })
  return { host: '127.0.0.1', smtpPort, imapPort, process: server }
}
