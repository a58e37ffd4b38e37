/** Health, readiness and metrics over HTTP. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HttpConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import { answerHttp, type HttpPages } from './answer.ts'

export interface HttpListener {
  /** With the port that it got. */
  readonly url: string
  close(): Promise<void>
}

const timeouts = { requestTimeout: 10_000, headersTimeout: 10_000, connectionsCheckingInterval: 5_000 }
/** Probes and scrapers need a few. */
const mostConnections = 100

const reasons: Readonly<Record<string, readonly [string, string]>> = {
  EADDRINUSE: ['the port is taken', 'End what listens there, or set http.port to another one (0: any free one).'],
  EACCES: ['this user may not listen there', 'Set http.port to 1024 or above.'],
  EADDRNOTAVAIL: ['this machine has no such address', 'Set http.host to an address of this machine, or 127.0.0.1.'],
  ENOTFOUND: ['the name is not known', 'Set http.host to an address of this machine, or 127.0.0.1.'],
}

const explain = (error: NodeJS.ErrnoException, place: string): PosthornError => {
  const code = error.code ?? 'unknown reason'
  const [reason, action] = reasons[code] ?? [code, 'Correct http.host or http.port.']
  return new PosthornError('ENVIRONMENT_UNSUITABLE', `http: can't listen on ${place}: ${reason}`, {
    stage: 'start',
    action,
    cause: error,
  })
}

const toHostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** @throws PosthornError `ENVIRONMENT_UNSUITABLE`: the port is taken, or is not for this user or machine */
export const listenHttp = async (
  { host, port, token }: HttpConfig,
  pages: Omit<HttpPages, 'token'>,
): Promise<HttpListener> => {
  const server = createServer(timeouts, ({ method = '', url = '', headers: { authorization } }, response) => {
    const answer = answerHttp({ method, url, authorization }, { ...pages, token: token?.reveal() ?? null })
    const { status, contentType, headers, body } = answer
    response.writeHead(status, {
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      ...headers,
    })
    response.end(body)
  })
  server.maxConnections = mostConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, `${toHostInUrl(host)}:${port}`)))
    server.listen({ host, port }, resolve)
  })
  // A connection that could not be accepted (too many open files): the next one may be.
  server.on('error', () => undefined)
  return {
    url: `http://${toHostInUrl(host)}:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // Answers are made at once and whole: there is nothing to wait for.
      server.closeAllConnections()
      await closed
    },
  }
}
