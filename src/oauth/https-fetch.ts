/**
 * A `fetch` over node's own client, because the global one takes no certificate authority of a server's own. Answers are
 * bounded in time and size; redirects are not followed, since credentials must reach nobody else.
 */
import http from 'node:http'
import https from 'node:https'

import type { TlsConfig } from '../config/config.ts'
import { tlsOptions } from '../tls-options.ts'

export interface FetchOptions {
  method: string
  headers: Record<string, string>
  body?: URLSearchParams | string | undefined
}

export type Fetch = (url: string, options: FetchOptions) => Promise<Response>

const maxAnswerBytes = 1024 * 1024
/** Statuses with which a `Response` may have no body. */
const bodiless = new Set([204, 205, 304])

/** @param timeoutMs for the whole exchange */
export const createFetch = (tls: TlsConfig, timeoutMs: number): Fetch => {
  const secure = tlsOptions(tls)
  return (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const isSecure = url.startsWith('https:')
      const payload = Buffer.from(body?.toString() ?? '', 'utf8')
      const signal = AbortSignal.timeout(timeoutMs)
      const options = {
        method,
        headers: { ...headers, 'content-length': payload.length },
        signal,
        // A connection for each exchange: they are rare, and a kept one would be found dead as often as not.
        agent: false,
        ...(isSecure ? secure : {}),
      }
      const onResponse = (answer: http.IncomingMessage): void => {
        const chunks: Buffer[] = []
        let length = 0
        answer.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          length += chunk.length
          if (length > maxAnswerBytes) answer.destroy(new Error('its answer is too long'))
        })
        answer.on('error', reject)
        answer.on('end', () => {
          const status = answer.statusCode ?? 0
          const text = bodiless.has(status) ? null : Buffer.concat(chunks).toString('utf8')
          const named = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
            values.map((value): [string, string] => [name, value]),
          )
          resolve(new Response(text, { status, headers: named }))
        })
      }
      const request = isSecure ? https.request(url, options, onResponse) : http.request(url, options, onResponse)
      request.on('error', (error) =>
        reject(signal.aborted ? Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }) : error),
      )
      request.end(payload)
    })
}
