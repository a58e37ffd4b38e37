/**
 * SASL OAUTHBEARER (RFC 7628, KIP-255) for kafkajs, whose own takes every answer for a login: a broker refuses a token in a
 * challenge that has no error code, and says so with one only when it was answered (RFC 7628 3.2.3).
 */
import type { Mechanism } from 'kafkajs'
import { PosthornError } from '../errors.ts'

/** As kafkajs hands bytes on: their length before them. */
const framed = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'utf8')
  const frame = Buffer.alloc(4 + bytes.length)
  frame.writeInt32BE(bytes.length)
  bytes.copy(frame, 4)
  return frame
}

const request = (text: string) => ({ encode: () => framed(text) })
const answer = { decode: (raw: Buffer) => raw.subarray(4), parse: (bytes: Buffer) => bytes.length }

/** Asked at each connection. */
export interface BearerTokens {
  /** A token that is good for some time yet. @throws PosthornError why there is none */
  get(): Promise<string>
  /** The broker has refused this token: `get` never gives it again. */
  invalidate(token: string): void
}

export const oauthBearer = (tokens: BearerTokens): Mechanism => ({
  mechanism: 'oauthbearer',
  authenticationProvider: ({ host, port, saslAuthenticate }) => ({
    authenticate: async () => {
      const token = await tokens.get()
      const challenge = await saslAuthenticate({
        request: request(`n,,\x01auth=Bearer ${token}\x01\x01`),
        response: answer,
      })
      if (challenge === 0) return
      tokens.invalidate(token)
      // Throws what the broker says.
      await saslAuthenticate({ request: request('\x01'), response: answer })
      throw new PosthornError('KAFKA_AUTHENTICATION_FAILED', `Kafka broker ${host}:${port} refuses the access token`, {
        stage: 'authenticate',
        action: 'Check kafka.sasl.oauth2: the scopes and the audience that the broker wants.',
      })
    },
  }),
})
