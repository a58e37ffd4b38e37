/** A request of the HTTP listener → its answer (pure). */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Awaited } from '../readiness.ts'

export interface HttpQuestion {
  method: string
  /** As in the request line. */
  url: string
  /** Of the request. Undefined: not there. */
  authorization: string | undefined
}

export interface HttpAnswer {
  status: number
  contentType: string
  headers?: Readonly<Record<string, string>>
  body: string
}

export interface HttpPages {
  /** Null: everything may be read without one. */
  token: string | null
  /** Empty: ready. */
  awaited: () => readonly Awaited[]
  /** In the text format of Prometheus. */
  metrics: () => string
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** RFC 6750 2.1. Compares digests, so that neither length nor content can be learned from the time it takes. */
const isAuthorized = (authorization: string | undefined, token: string | null): boolean => {
  if (token === null) return true
  const [, given] = /^bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

const json = (status: number, value: unknown, headers?: HttpAnswer['headers']): HttpAnswer => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(value)}\n`,
  ...(headers === undefined ? {} : { headers }),
})

/** Probes carry no token, so the two health pages answer without one; then they name no account and no group. */
const readiness = (awaited: readonly Awaited[], mayName: boolean): HttpAnswer => {
  const shown = mayName ? awaited : awaited.map(({ what }) => ({ what }))
  return json(awaited.length === 0 ? 200 : 503, { ready: awaited.length === 0, awaited: shown })
}

/** The path without its query; a URL that can't be read is a path that is not there. */
const pathOf = (url: string): string => url.split('?', 1)[0] ?? ''

export const answerHttp = ({ method, url, authorization }: HttpQuestion, pages: HttpPages): HttpAnswer => {
  const path = pathOf(url)
  const isKnown = path === '/healthz' || path === '/readyz' || path === '/metrics'
  if (!isKnown) return json(404, { error: 'there are /healthz, /readyz and /metrics' })
  if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'only GET and HEAD' }, { allow: 'GET, HEAD' })
  const mayName = isAuthorized(authorization, pages.token)
  switch (path) {
    case '/healthz':
      return json(200, { alive: true })
    case '/readyz':
      return readiness(pages.awaited(), mayName)
    case '/metrics':
      if (!mayName)
        return json(401, { error: 'http.token is wanted as a bearer token' }, { 'www-authenticate': 'Bearer' })
      return { status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', body: pages.metrics() }
    default:
      return path satisfies never
  }
}
