/**
 * Signs a PUT to S3 (AWS Signature Version 4, header form, with the hash of the payload). The SDK's signer does the same in
 * ten times the processor time: more than hashing the attachment itself.
 */
import { createHash, createHmac } from 'node:crypto'

export interface SigningCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

export interface UnsignedPut {
  /** Escaped as it travels: S3 takes it as it stands. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** In lower case; with `host`. All are signed. */
  readonly headers: Readonly<Record<string, string>>
  /** Of the payload, lower-case hex. */
  readonly sha256: string
}

export type PutSigner = (request: UnsignedPut, credentials: SigningCredentials, now: Date) => Record<string, string>

const algorithm = 'AWS4-HMAC-SHA256'

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** RFC 3986 2.3: all but the unreserved characters. */
export const escapeForUri = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** In the order and form that is signed, which a server takes as well. */
export const toQueryString = (query: UnsignedPut['query']): string =>
  Object.entries(query)
    .map(([name, value]) => [escapeForUri(name), escapeForUri(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((pair) => pair.join('='))
    .join('&')

/** @returns a signer of requests to one region; it keeps the key of the day */
export const createPutSigner = (region: string): PutSigner => {
  let known: { of: string; key: Buffer } | null = null

  const keyFor = (secret: string, day: string): Buffer => {
    const of = `${day} ${secret}`
    if (known?.of !== of) {
      const key = [region, 's3', 'aws4_request'].reduce<Buffer>(hmac, hmac(`AWS4${secret}`, day))
      known = { of, key }
    }
    return known.key
  }

  return ({ path, query, headers, sha256 }, { accessKeyId, secretAccessKey, sessionToken }, now) => {
    const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
    const day = time.slice(0, 8)
    const all: Record<string, string> = {
      ...headers,
      'x-amz-content-sha256': sha256,
      'x-amz-date': time,
      ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
    }
    const names = Object.keys(all).sort()
    const signedHeaders = names.join(';')
    const lines = names.map((name) => `${name}:${(all[name] ?? '').trim().replaceAll(/\s+/g, ' ')}\n`).join('')
    const canonical = `PUT\n${path}\n${toQueryString(query)}\n${lines}\n${signedHeaders}\n${sha256}`
    const scope = `${day}/${region}/s3/aws4_request`
    const digest = createHash('sha256').update(canonical).digest('hex')
    const signature = hmac(keyFor(secretAccessKey, day), `${algorithm}\n${time}\n${scope}\n${digest}`).toString('hex')
    const credential = `Credential=${accessKeyId}/${scope}`
    return {
      ...all,
      authorization: `${algorithm} ${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    }
  }
}
