/** S3 clients as Posthorn uses them: a pool of kept connections, bounded waits, no output of its own. */

import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'

import { S3Client } from '@aws-sdk/client-s3'

import type { StorageConfig } from '../config/config.ts'
import { tlsOptions } from '../tls-options.ts'

export interface S3ClientSettings {
  readonly connectTimeoutMs: number
  /** Longest silence of the server. */
  readonly stallMs: number
  /** Most attempts of one request, with jittered backoff between them. */
  readonly attempts: number
}

const silence = (): void => undefined

const credentialsOf = ({ accessKeyId, secretAccessKey, sessionToken }: StorageConfig) =>
  accessKeyId === null || secretAccessKey === null
    ? {}
    : {
        credentials: {
          accessKeyId,
          secretAccessKey: secretAccessKey.reveal(),
          ...(sessionToken !== null && { sessionToken: sessionToken.reveal() }),
        },
      }

/**
 * A client for writing is bounded by the silence on its socket. One for reading only until the answer begins: what
 * comes then is bounded by `readObject`, because a reader may pause for longer than a server may be silent.
 *
 * Requests are not queued in the agent, where their timeouts would run already: the store bounds what it starts.
 * Checksum trailers are off, because not every server takes them; the signed hash of the payload guards each put.
 */
export const createS3Client = (
  config: StorageConfig,
  settings: S3ClientSettings,
  purpose: 'read' | 'write',
): S3Client => {
  const pool = { keepAlive: true, maxFreeSockets: config.connections, scheduling: 'lifo' as const }
  return new S3Client({
    region: config.region,
    forcePathStyle: config.pathStyle,
    ...(config.endpoint !== null && { endpoint: config.endpoint }),
    ...credentialsOf(config),
    maxAttempts: settings.attempts,
    retryMode: 'standard',
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: { debug: silence, info: silence, warn: silence, error: silence },
    requestHandler: {
      connectionTimeout: settings.connectTimeoutMs,
      ...(purpose === 'write'
        ? { socketTimeout: settings.stallMs }
        : { socketTimeout: 0, requestTimeout: settings.stallMs, throwOnRequestTimeout: true }),
      httpAgent: new HttpAgent(pool),
      httpsAgent: new HttpsAgent({ ...pool, ...tlsOptions(config.tls) }),
    },
  })
}
