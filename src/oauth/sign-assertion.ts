/** The signed assertion of a JWT bearer grant (RFC 7523 2.1, RFC 7515, RFC 7519). */
import { createPrivateKey, randomUUID, sign } from 'node:crypto'

import type { JwtBearerConfig } from '../config/config.ts'

/** Seconds; Google takes no more than an hour. */
const lifetimeSeconds = 600

const encode = (part: object): string => Buffer.from(JSON.stringify(part), 'utf8').toString('base64url')

/**
 * @param scopes as the claim `scope`, where Google reads them
 * @param now milliseconds since the epoch
 */
export const signAssertion = (
  { issuer, subject, audience, privateKey, keyId, algorithm }: JwtBearerConfig,
  scopes: readonly string[],
  now: number,
): string => {
  const issuedAt = Math.floor(now / 1000)
  const header = { alg: algorithm, typ: 'JWT', ...(keyId === null ? {} : { kid: keyId }) }
  const claims = {
    iss: issuer,
    sub: subject,
    aud: audience,
    scope: scopes.join(' '),
    iat: issuedAt,
    exp: issuedAt + lifetimeSeconds,
    jti: randomUUID(),
  }
  const signed = `${encode(header)}.${encode(claims)}`
  const key = createPrivateKey(privateKey.reveal())
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}
