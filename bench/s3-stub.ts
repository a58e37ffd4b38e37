/**
 * An object store for benchmarks, as a process of its own: speaks S3 and does nothing else, so that the client is what is
 * measured. Keeps objects in memory; the caller reads them back afterwards. Prints its port.
 *
 * Whole objects, multipart uploads, copies, reads, deletes, lists of uploads; no signature is checked. With the argument
 * `digests` it keeps only the SHA-256 of each object, for gigabytes of mail: `GET /` tells them all, and how many uploads
 * are unfinished.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'

const keepsDigests = process.argv[2] === 'digests'
const objects = new Map<string, Buffer[]>()
const uploads = new Map<string, { path: string; parts: Map<number, Buffer[]> }>()
const digests = new Map<string, string>()
let begun = 0

const keep = (path: string, chunks: Buffer[]): void => {
  if (!keepsDigests) return void objects.set(path, chunks)
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  digests.set(path, hash.digest('hex'))
}

const answer = (response: ServerResponse, status: number, xml = '', headers: Record<string, string> = {}): void => {
  response.writeHead(status, { etag: '"e"', 'content-length': String(Buffer.byteLength(xml)), ...headers }).end(xml)
}

const refuse = (response: ServerResponse, status: number, code: string): void =>
  answer(response, status, `<Error><Code>${code}</Code></Error>`)

const bodyOf = async (request: IncomingMessage): Promise<Buffer[]> => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(request, 'end')
  return chunks
}

const put = (path: string, query: URLSearchParams, copied: string | undefined, body: Buffer[]): boolean => {
  const upload = uploads.get(query.get('uploadId') ?? '')
  if (upload !== undefined) upload.parts.set(Number(query.get('partNumber')), body)
  else if (query.has('uploadId')) return false
  else if (copied === undefined) keep(path, body)
  else if (!keepsDigests) objects.set(path, objects.get(`/${decodeURIComponent(copied).replace(/^\//, '')}`) ?? [])
  return true
}

const post = (path: string, query: URLSearchParams): string | null => {
  if (query.has('uploads')) {
    const id = `u${(begun += 1)}`
    uploads.set(id, { path, parts: new Map() })
    return `<R><UploadId>${id}</UploadId></R>`
  }
  const id = query.get('uploadId') ?? ''
  const upload = uploads.get(id)
  if (upload === undefined) return null
  uploads.delete(id)
  keep(
    path,
    [...upload.parts].sort(([a], [b]) => a - b).flatMap(([, part]) => part),
  )
  return '<R><ETag>"e"</ETag></R>'
}

const listUploads = (): string => {
  const rows = [...uploads].map(([id, { path }]) => {
    const key = path.split('/').slice(2).join('/')
    return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`
  })
  return `<R>${rows.join('')}</R>`
}

const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stub')
  const path = decodeURIComponent(pathname)
  const body = await bodyOf(request)
  const copied = request.headers['x-amz-copy-source']
  switch (request.method ?? '') {
    case 'PUT': {
      if (!put(path, searchParams, typeof copied === 'string' ? copied : undefined, body)) {
        return refuse(response, 404, 'NoSuchUpload')
      }
      return answer(response, 200, copied === undefined ? '' : '<R><ETag>"e"</ETag></R>')
    }
    case 'POST': {
      const xml = post(path, searchParams)
      return xml === null ? refuse(response, 404, 'NoSuchUpload') : answer(response, 200, xml)
    }
    case 'DELETE': {
      const id = searchParams.get('uploadId')
      if (id === null) objects.delete(path)
      else uploads.delete(id)
      return answer(response, 204)
    }
    default: {
      if (path === '/') {
        return answer(response, 200, JSON.stringify({ unfinished: uploads.size, digests: Object.fromEntries(digests) }))
      }
      if (searchParams.has('uploads')) return answer(response, 200, listUploads())
      const found = objects.get(path)
      if (found === undefined) return refuse(response, 404, 'NoSuchKey')
      response.writeHead(200, { 'content-length': found.reduce((sum, { length }) => sum + length, 0) })
      for (const chunk of found) response.write(chunk)
      response.end()
    }
  }
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  handle(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
