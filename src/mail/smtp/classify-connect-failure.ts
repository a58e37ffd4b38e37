/**
 * Why a connection to an SMTP server could not be made ready (pure): decided from the errno, nodemailer's code and the
 * reply code, never from a text. Each is retryable: none says anything about a mail.
 */
import { PosthornError, type Stage } from '../../errors.ts'
import { harmless, quoteReply, ReplyReader, type SmtpReply } from './reply.ts'

/** What nodemailer and node put on their errors. */
export interface ConnectFailure {
  message: string
  code?: string | undefined
  /** Of the system or the TLS library, where nodemailer has put its own code over it. */
  originalCode?: string | undefined
  response?: string | undefined
  errors?: unknown
}

export interface ConnectPhase {
  /** `host:port`. */
  server: string
  stage: Extract<Stage, 'connect' | 'tls' | 'authenticate'>
  /** Whatever the server says must not show them. */
  secrets: readonly string[]
}

export const toConnectFailure = (error: unknown): ConnectFailure =>
  error instanceof Error ? error : { message: String(error) }

const readReply = (response: string | undefined): SmtpReply | null => {
  if (response === undefined) return null
  try {
    return new ReplyReader().push(Buffer.from(`${response}\n`, 'utf8')).at(-1) ?? null
  } catch {
    return null
  }
}

/** As they are and as SASL carries them; the longest first, because one may be within another. */
const withoutSecrets = (text: string, secrets: readonly string[]): string =>
  secrets
    .flatMap((secret) => [secret, Buffer.from(secret, 'utf8').toString('base64')])
    .filter((form) => form !== '')
    .sort((a, b) => b.length - a.length)
    .reduce((clean, form) => clean.replaceAll(form, '[secret]'), text)

const reasons: Record<string, string> = {
  ENOTFOUND: 'its name is not in the DNS',
  EAI_AGAIN: 'the DNS does not answer',
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  ETIMEDOUT: 'it does not answer',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an authority that is not trusted',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

const actions: Record<ConnectPhase['stage'], string> = {
  connect: 'Check host, port, security and the network.',
  tls: 'Check security, port and host; a private authority goes into caFile.',
  authenticate: 'Check auth; some providers want an app password or OAuth 2.0.',
}

/** Of several addresses that were tried, the first one's errno stands for all. */
const errnoOf = (failure: ConnectFailure): string | undefined => {
  const code = failure.originalCode ?? failure.code
  if (code !== undefined && code !== 'ECONNECTION' && code !== 'ESOCKET') return code
  const [first] = Array.isArray(failure.errors) ? (failure.errors as unknown[]) : []
  return first instanceof Error ? (first as NodeJS.ErrnoException).code : code
}

export const classifyConnectFailure = (error: unknown, { server, stage, secrets }: ConnectPhase): PosthornError => {
  const failure = toConnectFailure(error)
  const make = (code: PosthornError['code'], message: string): PosthornError =>
    new PosthornError(code, message, { stage, retryable: true, action: actions[stage] })
  const errno = errnoOf(failure)
  const reply = readReply(failure.response)
  if (reply !== null) {
    const said = withoutSecrets(quoteReply(reply), secrets)
    if (stage === 'tls') return make('SMTP_TLS_FAILED', `${server} does not offer STARTTLS: ${said}`)
    if (reply.code < 500) return make('SMTP_DEFERRED', `${server} does not serve now: ${said}`)
    if (stage === 'authenticate') {
      return make('SMTP_AUTHENTICATION_FAILED', `${server} refuses the login: ${said}`)
    }
    return make('SMTP_UNREACHABLE', `${server} refuses to serve: ${said}`)
  }
  const why = errno === undefined ? undefined : (reasons[errno] ?? errno)
  if (failure.code === 'ETIMEDOUT') {
    const [code, what] =
      stage === 'connect' ? (['SMTP_UNREACHABLE', 'to connect'] as const) : (['SMTP_TIMEOUT', stage] as const)
    return make(code, `${server} did not answer in time (${what})`)
  }
  if (stage === 'tls') return make('SMTP_TLS_FAILED', `no TLS with ${server}: ${why ?? harmless(failure.message, 200)}`)
  if (failure.code === 'EPROTOCOL') return make('SMTP_PROTOCOL_ERROR', `${server} does not speak SMTP`)
  if (stage === 'authenticate') {
    return make('SMTP_CONNECTION_LOST', `${server} closed the connection during the login`)
  }
  return make('SMTP_UNREACHABLE', `${server} can't be reached: ${why ?? harmless(failure.message, 200)}`)
}
