/** Talks to a schema registry over HTTP. Answers are bounded in time and size; every failure is REGISTRY_UNREACHABLE. */

import http from 'node:http'
import https from 'node:https'

import type { RegistryConfig } from '../config/config.ts'
import { PosthornError, type Stage } from '../errors.ts'

export interface RegistryAnswer {
  status: number
  /** Parsed JSON; null where the answer is none. */
  body: unknown
}

export interface RegistryHttp {
  request(method: 'GET' | 'POST', path: string, body: object | null, stage: Stage): Promise<RegistryAnswer>
  close(): void
}

const maxAnswerBytes = 8 * 1024 * 1024
const contentType = 'application/vnd.schemaregistry.v1+json'

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Always retryable: a record must not go to the dead letters because the registry can't be asked. */
const unreachable = (url: string, stage: Stage, why: string, cause?: unknown): PosthornError =>
  new PosthornError('REGISTRY_UNREACHABLE', `the schema registry at ${url} can't be used: ${why}`, {
    stage,
    retryable: true,
    action: 'Check avro.registry (url, username, password, caFile) and that the registry runs.',
    cause,
  })

const refusalOf = (status: number): string | null => {
  if (status === 401 || status === 403) return `it refuses the login (${status})`
  if (status === 429 || status >= 500) return `it answers ${status}`
  return status >= 300 && status < 400 ? `it redirects (${status}), which is not followed` : null
}

const authorization = ({ username, password }: RegistryConfig): Record<string, string> => {
  if (username === null) return {}
  const login = Buffer.from(`${username}:${password?.reveal() ?? ''}`, 'utf8').toString('base64')
  return { authorization: `Basic ${login}` }
}

export const createRegistryHttp = (config: RegistryConfig, timeoutMs: number): RegistryHttp => {
  const { url, tls } = config
  const agent = url.startsWith('https:')
    ? new https.Agent({
        keepAlive: true,
        minVersion: tls.minVersion,
        ...(tls.ca === null ? {} : { ca: tls.ca }),
        ...(tls.certificate === null ? {} : { cert: tls.certificate }),
        ...(tls.key === null ? {} : { key: tls.key.reveal() }),
        ...(tls.serverName === null ? {} : { servername: tls.serverName }),
      })
    : new http.Agent({ keepAlive: true })

  const exchange = (method: string, path: string, body: object | null): Promise<RegistryAnswer> =>
    new Promise((resolve, reject) => {
      const send = url.startsWith('https:') ? https.request : http.request
      const payload = body === null ? null : Buffer.from(JSON.stringify(body), 'utf8')
      const headers = {
        accept: `${contentType}, application/json`,
        ...authorization(config),
        ...(payload === null ? {} : { 'content-type': contentType, 'content-length': payload.length }),
      }
      const signal = AbortSignal.timeout(timeoutMs)
      const request = send(`${url}${path}`, { method, agent, headers, signal }, (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          length += chunk.length
          if (length > maxAnswerBytes) response.destroy(new Error(`its answer has more than ${maxAnswerBytes} bytes`))
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: parseJson(Buffer.concat(chunks).toString('utf8')) }),
        )
      })
      request.on('error', (error) =>
        reject(signal.aborted ? new Error(`no answer within ${timeoutMs / 1000} s`, { cause: error }) : error),
      )
      request.end(payload ?? undefined)
    })

  return {
    request: async (method, path, body, stage) => {
      let answer: RegistryAnswer
      try {
        answer = await exchange(method, path, body)
      } catch (error) {
        throw unreachable(url, stage, error instanceof Error ? error.message : String(error), error)
      }
      const refusal = refusalOf(answer.status)
      if (refusal !== null) throw unreachable(url, stage, refusal)
      return answer
    },
    close: () => agent.destroy(),
  }
}
