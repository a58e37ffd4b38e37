/**
 * Talks to a schema registry over HTTP. Answers are bounded in time and size; every failure is `REGISTRY_UNREACHABLE` or
 * one of TLS, and retryable: a record must not go to the dead letters because the registry can't be asked.
 */

import http from 'node:http'
import https from 'node:https'

import type { RegistryConfig } from '../config/config.ts'
import { PosthornError, type Stage } from '../errors.ts'
import { networkFailureOf, sayNetworkFailure } from '../network-failure.ts'
import { tlsOptions } from '../tls-options.ts'

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

const unreachable = (url: string, stage: Stage, why: string, action: string, cause?: unknown): PosthornError =>
  new PosthornError('REGISTRY_UNREACHABLE', `the schema registry at ${url} can't be used: ${why}`, {
    stage,
    retryable: true,
    action,
    cause,
  })

const unanswered = (url: string, stage: Stage, error: unknown): PosthornError => {
  const network = networkFailureOf(error)
  if (network === null) {
    const why = error instanceof Error ? error.message : String(error)
    return unreachable(
      url,
      stage,
      why,
      'Look whether the registry is overloaded, or a firewall drops the packets.',
      error,
    )
  }
  return new PosthornError(
    network.tls ?? 'REGISTRY_UNREACHABLE',
    sayNetworkFailure(network, `schema registry ${url}`),
    {
      stage,
      retryable: true,
      action: `${network.action} See avro.registry.`,
      cause: error,
    },
  )
}

/** What says nothing about the record or schema that was asked for. @returns why, and what to do */
const refusalOf = (status: number): [why: string, action: string] | null => {
  if (status === 401) return ['it refuses the login (401)', 'Check avro.registry.username and avro.registry.password.']
  if (status === 403) return ['it forbids this (403)', 'Give the user of avro.registry.username the right to do it.']
  if (status === 429 || status >= 500) return [`it answers ${status}`, 'Look into the log of the registry.']
  if (status < 300 || status >= 400) return null
  return [`it redirects (${status}), which is not followed`, 'Give the address where it leads as avro.registry.url.']
}

const authorization = ({ username, password }: RegistryConfig): Record<string, string> => {
  if (username === null) return {}
  const login = Buffer.from(`${username}:${password?.reveal() ?? ''}`, 'utf8').toString('base64')
  return { authorization: `Basic ${login}` }
}

export const createRegistryHttp = (config: RegistryConfig, timeoutMs: number): RegistryHttp => {
  const { url, tls } = config
  const agent = url.startsWith('https:')
    ? new https.Agent({ keepAlive: true, ...tlsOptions(tls) })
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
        reject(signal.aborted ? new Error(`no answer within ${timeoutMs / 1000} s`) : error),
      )
      request.end(payload ?? undefined)
    })

  return {
    request: async (method, path, body, stage) => {
      let answer: RegistryAnswer
      try {
        answer = await exchange(method, path, body)
      } catch (error) {
        throw unanswered(url, stage, error)
      }
      const refusal = refusalOf(answer.status)
      if (refusal !== null) throw unreachable(url, stage, ...refusal)
      return answer
    },
    close: () => agent.destroy(),
  }
}
