/**
 * An S3 server in this process, for exact faults. It checks the signed hash of each payload and keeps everything in
 * memory; signatures themselves are checked by the real servers of the integration tests.
 */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'

import type { StorageConfig } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'

interface Stored {
  content: Buffer
  headers: Record<string, string>
}

/** What happens to a request instead of its answer; null: nothing. `cut` sends half of the body. */
export type Fault = { status: number; code: string } | 'reset' | 'stall' | 'cut' | null

export interface FakeS3 {
  readonly config: StorageConfig
  readonly objects: Map<string, Stored>
  /** By upload id. */
  readonly uploads: Map<string, { path: string; headers: Record<string, string>; parts: Map<number, Buffer> }>
  /** Method, path and query of each request, in order. */
  readonly requests: string[]
  /** Asked for each request; `GET /mail/key`. */
  fault: (request: string) => Fault
  /** Resolves when no request is open. */
  idle: () => Promise<void>
  /** How long each answer takes. */
  pauseMs: number
  /** Most requests that were open at once. */
  mostAtOnce: number
}

export const storageConfig = (endpoint: string, changes: Partial<StorageConfig> = {}): StorageConfig => ({
  endpoint,
  region: 'us-east-1',
  bucket: 'mail',
  prefix: 'attachments',
  pathStyle: true,
  accessKeyId: 'test',
  secretAccessKey: new Secret('testtest'),
  sessionToken: null,
  readableBuckets: ['mail'],
  connections: 8,
  tls: { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' },
  ...changes,
})

const kept = ['content-type', 'content-disposition', 'x-amz-meta-sha256']

const headersToKeep = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    kept.flatMap((name) => (typeof request.headers[name] === 'string' ? [[name, request.headers[name]]] : [])),
  )

const answer = (response: ServerResponse, status: number, xml = '', headers: Record<string, string> = {}): void => {
  response.writeHead(status, { ...headers, 'content-type': 'application/xml' }).end(xml)
}

const refuse = (response: ServerResponse, status: number, code: string): void =>
  answer(response, status, `<Error><Code>${code}</Code><Message>no</Message></Error>`)

const keyOf = (path: string): string => path.split('/').slice(2).join('/')

export const startFakeS3 = async (t: TestContext): Promise<FakeS3> => {
  const waiting: (() => void)[] = []
  let open = 0
  const state: Omit<FakeS3, 'config'> = {
    objects: new Map(),
    uploads: new Map(),
    requests: [],
    fault: () => null,
    idle: () => (open === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    pauseMs: 0,
    mostAtOnce: 0,
  }

  const post = (url: URL, path: string, request: IncomingMessage, response: ServerResponse): void => {
    const id = url.searchParams.get('uploadId')
    if (id === null) {
      const uploadId = `upload-${state.requests.length}`
      state.uploads.set(uploadId, { path, headers: headersToKeep(request), parts: new Map() })
      return answer(response, 200, `<R><UploadId>${uploadId}</UploadId></R>`)
    }
    const upload = state.uploads.get(id)
    if (upload === undefined) return refuse(response, 404, 'NoSuchUpload')
    const parts = [...upload.parts].toSorted(([left], [right]) => left - right).map(([, part]) => part)
    state.objects.set(path, { content: Buffer.concat(parts), headers: upload.headers })
    state.uploads.delete(id)
    return answer(response, 200, '<R><ETag>"e"</ETag></R>')
  }

  const put = (url: URL, path: string, body: Buffer, request: IncomingMessage, response: ServerResponse): void => {
    const id = url.searchParams.get('uploadId')
    const copied = request.headers['x-amz-copy-source']
    if (id !== null) {
      const upload = state.uploads.get(id)
      if (upload === undefined) return refuse(response, 404, 'NoSuchUpload')
      upload.parts.set(Number(url.searchParams.get('partNumber')), body)
    } else if (typeof copied === 'string') {
      const source = state.objects.get(`/${decodeURIComponent(copied)}`)
      if (source === undefined) return refuse(response, 404, 'NoSuchKey')
      state.objects.set(path, { content: source.content, headers: headersToKeep(request) })
      return answer(response, 200, '<R><ETag>"e"</ETag></R>')
    } else state.objects.set(path, { content: body, headers: headersToKeep(request) })
    return answer(response, 200, '', { etag: '"e"' })
  }

  const get = (url: URL, path: string, response: ServerResponse, fault: Fault): void => {
    if (url.searchParams.has('uploads')) {
      const rows = [...state.uploads].map(
        ([id, { path }]) => `<Upload><Key>${keyOf(path)}</Key><UploadId>${id}</UploadId></Upload>`,
      )
      return answer(response, 200, `<R>${rows.join('')}</R>`)
    }
    if (url.searchParams.has('list-type')) {
      const rows = [...state.objects.keys()].map((path) => `<Contents><Key>${keyOf(path)}</Key></Contents>`)
      return answer(response, 200, `<R>${rows.join('')}</R>`)
    }
    const found = state.objects.get(path)
    if (found === undefined) return refuse(response, 404, 'NoSuchKey')
    response.writeHead(200, { ...found.headers, 'content-length': found.content.length })
    if (fault !== 'cut' && fault !== 'stall') return void response.end(found.content)
    response.write(found.content.subarray(0, found.content.length / 2), () => {
      if (fault === 'cut') response.destroy()
    })
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://fake')
    const path = decodeURIComponent(url.pathname)
    const line = `${request.method} ${path}${url.search}`
    const fault = state.fault(line)
    state.requests.push(line)
    const body = await buffer(request)
    await setTimeout(state.pauseMs)
    if (fault === 'reset') return void request.socket.destroy()
    if (fault === 'stall' && request.method !== 'GET') return
    if (typeof fault === 'object' && fault !== null) return refuse(response, fault.status, fault.code)
    const signed = request.headers['x-amz-content-sha256']
    if (signed !== 'UNSIGNED-PAYLOAD' && signed !== createHash('sha256').update(body).digest('hex')) {
      return refuse(response, 400, 'XAmzContentSHA256Mismatch')
    }
    if (!path.startsWith('/mail/') && path !== '/mail') return refuse(response, 404, 'NoSuchBucket')
    if (request.method === 'GET') return get(url, path, response, fault)
    if (request.method === 'PUT') return put(url, path, body, request, response)
    if (request.method === 'POST') return post(url, path, request, response)
    const id = url.searchParams.get('uploadId')
    if (id === null) state.objects.delete(path)
    else state.uploads.delete(id)
    return answer(response, 204)
  }

  const server = createServer((request, response) => {
    open += 1
    state.mostAtOnce = Math.max(state.mostAtOnce, open)
    response.on('close', () => {
      open -= 1
      if (open === 0) for (const resolve of waiting.splice(0)) resolve()
    })
    handle(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return Object.assign(state, { config: storageConfig(`http://127.0.0.1:${port}`) })
}
