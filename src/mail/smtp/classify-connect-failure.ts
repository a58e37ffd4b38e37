/**
 * Why a connection to an SMTP server could not be made ready (pure): decided from the errno, nodemailer's code and the
 * reply code, never from a text. Each is retryable: none says anything about a mail.
 */
import { PosthornError, type Stage } from '../../errors.ts'
import { networkFailureOf, sayNetworkFailure } from '../../network-failure.ts'
import { harmless, quoteReply, ReplyReader, type SmtpReply } from './reply.ts'

/** What nodemailer and node put on their errors. */
export interface ConnectFailure {
  message: string
  code?: string | undefined
  /** nodemailer's own: which of its timers it was. */
  timeoutType?: string | undefined
  response?: string | undefined
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

const actions: Record<ConnectPhase['stage'], string> = {
  connect: 'Check host, port, security and the network.',
  tls: 'Check security, port and host; a private authority goes into caFile.',
  authenticate: 'Check auth; some providers want an app password or OAuth 2.0.',
}

const silentAction =
  'Look whether the server is overloaded, and whether the port expects TLS from the first byte (security: tls).'

export const classifyConnectFailure = (error: unknown, { server, stage, secrets }: ConnectPhase): PosthornError => {
  const failure = toConnectFailure(error)
  const make = (code: PosthornError['code'], message: string, action = actions[stage]): PosthornError =>
    new PosthornError(code, message, { stage, retryable: true, action })
  const reply = readReply(failure.response)
  if (reply !== null) {
    const said = withoutSecrets(quoteReply(reply), secrets)
    if (stage === 'tls') return make('TLS_NOT_OFFERED', `${server} does not offer STARTTLS: ${said}`)
    if (reply.code < 500) return make('SMTP_DEFERRED', `${server} does not serve now: ${said}`)
    if (stage === 'authenticate') {
      return make('SMTP_AUTHENTICATION_FAILED', `${server} refuses the login: ${said}`)
    }
    return make('SMTP_UNREACHABLE', `${server} refuses to serve: ${said}`)
  }
  const network = networkFailureOf(error)
  if (network !== null && network.tls !== null) {
    const text = sayNetworkFailure(network, server)
    return new PosthornError(network.tls, text, { stage: 'tls', retryable: true, action: network.action })
  }
  if (failure.timeoutType !== undefined) {
    return make('SMTP_TIMEOUT', `${server} takes connections but did not answer in time (${stage})`, silentAction)
  }
  if (stage === 'tls')
    return make('TLS_FAILED', `no TLS with ${server}: ${network?.what ?? harmless(failure.message, 200)}`)
  if (failure.code === 'EPROTOCOL') return make('SMTP_PROTOCOL_ERROR', `${server} does not speak SMTP`)
  if (stage === 'authenticate') {
    return make('SMTP_CONNECTION_LOST', `${server} closed the connection during the login`)
  }
  if (network !== null) return make('SMTP_UNREACHABLE', sayNetworkFailure(network, server), network.action)
  return make('SMTP_UNREACHABLE', `${server} can't be reached: ${harmless(failure.message, 200)}`)
}
