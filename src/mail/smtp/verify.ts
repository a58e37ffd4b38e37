/** Test Connection for SMTP: everything that comes before a mail, and what was found. */
import { performance } from 'node:perf_hooks'

import { connectSmtp, type ConnectDependencies, type SmtpServerOptions } from './connect.ts'
import { tlsFactsOf, type TlsFacts } from '../../tls-facts.ts'

export interface SmtpFacts {
  /** `host:port`. */
  server: string
  /** Null: not encrypted. */
  tls: TlsFacts | null
  /** SASL mechanism of the login; null: the account has none. */
  mechanism: string | null
  /** Keywords that the server offers. */
  extensions: readonly string[]
  /** Null: the server names no limit. */
  maxMessageBytes: number | null
  /** Milliseconds until ready for a mail. */
  ms: number
}

/** @throws PosthornError with stage `connect`, `tls` or `authenticate`, and what to do about it */
export const verifySmtp = async (options: SmtpServerOptions, deps: ConnectDependencies = {}): Promise<SmtpFacts> => {
  const startedAt = performance.now()
  const { socket, server, extensions, mechanism } = await connectSmtp(options, deps)
  const ms = Math.round(performance.now() - startedAt)
  const tls = tlsFactsOf(socket)
  // What the server answers to QUIT does not matter any more; node closes a socket whose other end is closed.
  socket.resume()
  socket.setTimeout(2000, () => socket.destroy())
  socket.end('QUIT\r\n')
  const maxMessageBytes = extensions.size === null || extensions.size === 0 ? null : extensions.size
  return { server, tls, mechanism, extensions: extensions.names, maxMessageBytes, ms }
}
