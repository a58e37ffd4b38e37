/**
 * PUT requests to S3 over kept connections. They take the SDK's endpoint and credentials, but don't go through its request
 * stack: that takes more processor time than everything else that is done to an attachment of ordinary size. Attempts,
 * pauses and failures are as the SDK's.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { Backoff } from '../backoff.ts'
import type { StorageConfig } from '../config/config.ts'
import type { PosthornError } from '../errors.ts'
import type { S3ClientSettings } from './s3-client.ts'
import { createPutSigner, escapeForUri, toQueryString, type PutSigner } from './sign-put.ts'
import { tlsOptions } from '../tls-options.ts'

export interface PutRequest {
  readonly key: string
  readonly query: Readonly<Record<string, string>>
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly content: Buffer
  /** Of the content, lower-case hex: the server refuses other bytes. */
  readonly sha256: string
}

export interface PutAnswer {
  readonly etag: string | null
  readonly versionId: string | null
}

export interface S3Putter {
  /** @throws PosthornError as `classify` makes it, after the last attempt */
  put(request: PutRequest, classify: (error: unknown) => PosthornError): Promise<PutAnswer>
  close(): void
}

export interface PutSettings extends S3ClientSettings {
  readonly now: () => number
  /** 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number
}

interface Target {
  readonly url: URL
  readonly sign: PutSigner
}

const pauses = { firstMs: 100, maxMs: 20_000 }

const toPath = ({ pathname }: URL, key: string): string =>
  `${pathname.replace(/\/$/, '')}/${key.split('/').map(escapeForUri).join('/')}`

const valueOf = ({ headers }: IncomingMessage, name: string): string | null => {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

/** In the form of the SDK's own errors. */
const refusal = (status: number, body: string): Error => {
  const code = /<Code>([A-Za-z0-9_.]+)<\/Code>/.exec(body)?.[1]
  return Object.assign(new Error(`HTTP ${status}`), {
    ...(code !== undefined && { name: code, Code: code }),
    $metadata: { httpStatusCode: status },
  })
}

const timeout = (): Error => Object.assign(new Error('the server is silent'), { name: 'TimeoutError' })

const findTarget = async ({ config }: S3Client, { bucket, pathStyle, endpoint }: StorageConfig): Promise<Target> => {
  const region = await config.region()
  const found = config.endpointProvider({
    Bucket: bucket,
    Region: region,
    ForcePathStyle: pathStyle,
    UseFIPS: false,
    UseDualStack: false,
    ...(endpoint !== null && { Endpoint: endpoint }),
  })
  return { url: found.url, sign: createPutSigner(region) }
}

/** @param client whose endpoint and credentials are used */
export const createS3Putter = (client: S3Client, config: StorageConfig, settings: PutSettings): S3Putter => {
  const pool = { keepAlive: true, maxFreeSockets: config.connections, scheduling: 'lifo' as const }
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent({ ...pool, ...tlsOptions(config.tls) }) }
  let target: Promise<Target> | null = null
  /** How far the server's clock is ahead, once it has complained. */
  let skewMs = 0

  const exchange = (url: URL, path: string, headers: Record<string, string>, content: Buffer) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method: 'PUT', host: url.hostname.replaceAll(/[[\]]/g, ''), port: url.port, path, headers }
      const request =
        url.protocol === 'https:'
          ? httpsRequest({ ...options, agent: agents.https })
          : httpRequest({ ...options, agent: agents.http })
      const connecting = setTimeout(() => request.destroy(timeout()), settings.connectTimeoutMs)
      request.on('socket', (socket) => {
        if (socket.connecting) socket.once('connect', () => clearTimeout(connecting))
        else clearTimeout(connecting)
      })
      request.setTimeout(settings.stallMs, () => request.destroy(timeout()))
      request.on('response', resolve)
      request.on('error', reject)
      request.on('close', () => clearTimeout(connecting))
      request.end(content)
    })

  const attempt = async ({ key, query, headers, content, sha256 }: PutRequest): Promise<PutAnswer> => {
    target ??= findTarget(client, config)
    const { url, sign } = await target
    const path = toPath(url, key)
    const unsigned = { ...headers, host: url.host, 'content-length': String(content.length) }
    const now = new Date(settings.now() + skewMs)
    const signed = sign({ path, query, headers: unsigned, sha256 }, await client.config.credentials(), now)
    const search = toQueryString(query)
    const response = await exchange(url, search === '' ? path : `${path}?${search}`, signed, content)
    const body = await text(response)
    const status = response.statusCode ?? 0
    if (status === 200) return { etag: valueOf(response, 'etag'), versionId: valueOf(response, 'x-amz-version-id') }
    const error = refusal(status, body)
    const servedAt = Date.parse(valueOf(response, 'date') ?? '')
    if (error.name === 'RequestTimeTooSkewed' && !Number.isNaN(servedAt)) skewMs = servedAt - settings.now()
    throw error
  }

  return {
    put: async (request, classify) => {
      const backoff = new Backoff({ ...pauses, random: settings.random })
      for (let left = settings.attempts - 1; ; left -= 1) {
        try {
          return await attempt(request)
        } catch (cause) {
          const error = classify(cause)
          if (!error.retryable || left === 0) throw error
          await delay(backoff.next(0))
        }
      }
    },
    close: () => {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}
