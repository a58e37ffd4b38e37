/** npm's `smtp-server`, which nobody here wrote, as the peer of the sender's tests. */
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

import { SMTPServer, type SMTPServerAddress, type SMTPServerOptions } from 'smtp-server'

import type { KeyPair } from './certificates.ts'

export interface DeliveredMail {
  from: string
  to: string[]
  raw: Buffer
}

export interface RealServer {
  port: number
  mails: DeliveredMail[]
  /** Most sessions at once. */
  sessions: number
}

const refusal = (address: string): Error | null => {
  // `450.x@example.com` is answered with 450.
  const code = Number(/^([45]\d\d)\./.exec(address)?.[1] ?? 0)
  return code === 0 ? null : Object.assign(new Error('as the address says'), { responseCode: code })
}

export const startRealServer = async (
  t: TestContext,
  options: SMTPServerOptions & { pair?: KeyPair } = {},
): Promise<RealServer> => {
  const { pair, ...more } = options
  const facts: RealServer = { port: 0, mails: [], sessions: 0 }
  const open = new Set<string>()
  const check = (address: SMTPServerAddress, _: unknown, done: (error?: Error | null) => void): void =>
    done(refusal(address.address))
  const server = new SMTPServer({
    logger: false,
    authOptional: true,
    disableReverseLookup: true,
    closeTimeout: 10,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    size: 5_000_000,
    rejectOversized: true,
    ...(pair === undefined ? { hideSTARTTLS: true } : pair),
    onConnect: (session, done) => {
      open.add(session.id)
      facts.sessions = Math.max(facts.sessions, open.size)
      done()
    },
    onClose: (session) => void open.delete(session.id),
    onAuth: ({ username, password }, _, done) => {
      if (username === 'u' && password === 'right') done(null, { user: 'u' })
      else done(Object.assign(new Error('wrong'), { responseCode: 535 }))
    },
    onMailFrom: check,
    onRcptTo: check,
    onData: (stream, { envelope }, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
        facts.mails.push({ from, to: envelope.rcptTo.map(({ address }) => address), raw: Buffer.concat(chunks) })
        done(null, `Ok: queued as R${facts.mails.length}`)
      })
    },
    ...more,
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  facts.port = (server.server.address() as AddressInfo).port
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return facts
}
