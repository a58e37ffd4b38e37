/**
 * What a failed token request means (pure, total). Decided from the error code (RFC 6749 5.2), the status and the errno,
 * never from a text. The causes are not passed on: the library keeps whole answers in them, with tokens.
 */
import { PosthornError, type ErrorCode } from '../errors.ts'
import { networkFailureOf, sayNetworkFailure } from '../network-failure.ts'

interface Fault {
  /** Of the answer's body. */
  error?: unknown
  error_description?: unknown
  status?: unknown
  /** Errno, or the library's own. */
  code?: unknown
  message?: unknown
}

export interface TokenRequestFacts {
  /** `https://login.example.com/token`. */
  url: string
  /** Where a person logs in again; null: nobody does. */
  loginCommand: string | null
  /** Whatever the provider says must not show them. */
  secrets: readonly string[]
}

/** The grant is no longer any good: revoked, expired, used up, or the provider wants to see the person again. */
const grantCodes = new Set(['invalid_grant', 'interaction_required', 'login_required', 'consent_required'])
const passingCodes = new Set(['temporarily_unavailable', 'server_error', 'slow_down'])

const longestQuote = 200

/** A provider's words, fit for a message: printable ASCII, short, without what must not be seen. */
export const quoteProvider = (text: string, secrets: readonly string[]): string => {
  const clean = secrets
    .filter((secret) => secret !== '')
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .reduce((masked, secret) => masked.replaceAll(secret, '[secret]'), text)
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
  return clean.length > longestQuote ? `${clean.slice(0, longestQuote)}…` : clean
}

const make = (code: ErrorCode, message: string, action: string): PosthornError =>
  new PosthornError(code, message, { stage: 'authenticate', retryable: true, action })

export const loginAgain = (command: string): string => `Log in again: ${command}`

export const classifyTokenError = (
  error: unknown,
  { url, loginCommand, secrets }: TokenRequestFacts,
): PosthornError => {
  const fault: Fault = typeof error === 'object' && error !== null ? error : {}
  const { error: said, error_description: description, status, code } = fault
  if (typeof said === 'string') {
    const more = typeof description === 'string' ? `: ${quoteProvider(description, secrets)}` : ''
    const answer = `${url} answers ${quoteProvider(said, secrets)}${more}`
    if (passingCodes.has(said)) return make('OAUTH_UNREACHABLE', answer, 'Nothing, if it passes.')
    if (grantCodes.has(said) && loginCommand !== null) {
      return make('OAUTH_LOGIN_REQUIRED', `the login is no longer valid: ${answer}`, loginAgain(loginCommand))
    }
    const action = 'Check oauth2: clientId, clientSecret, scopes, and how the client is registered at the provider.'
    return make('OAUTH_REFUSED', answer, action)
  }
  const httpStatus = typeof status === 'number' ? status : statusOf(error)
  if (httpStatus !== null) {
    const answer = `${url} answers with status ${httpStatus} and no reason`
    if (httpStatus === 429 || httpStatus >= 500) return make('OAUTH_UNREACHABLE', answer, 'Nothing, if it passes.')
    return make('OAUTH_REFUSED', answer, 'Check oauth2: tokenUrl, clientId, clientSecret and clientAuthentication.')
  }
  if (typeof code === 'string' && code.startsWith('OAUTH_')) {
    const what = typeof fault.message === 'string' ? quoteProvider(fault.message, secrets) : code
    return make('OAUTH_REFUSED', `${url} gives no valid answer: ${what}`, 'Check oauth2.tokenUrl.')
  }
  const network = networkFailureOf(error)
  if (network !== null) {
    return make(network.tls ?? 'OAUTH_UNREACHABLE', sayNetworkFailure(network, url), network.action)
  }
  return make('OAUTH_UNREACHABLE', `${url}: the exchange broke off`, 'Check oauth2.tokenUrl and the network.')
}

/** The library keeps an answer that is not as it should be as the error's cause. */
const statusOf = (error: unknown): number | null => {
  const cause = error instanceof Error ? error.cause : null
  const response = cause instanceof Response ? cause : (error as { response?: unknown }).response
  return response instanceof Response && response.status !== 200 ? response.status : null
}
