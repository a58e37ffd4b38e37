/** Asks an authorization server for tokens (RFC 6749, 7523, 7636): the only importer of oauth4webapi. */
import * as oauth from 'oauth4webapi'

import type { OAuth2Config } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import { classifyTokenError, quoteProvider } from './classify-token-error.ts'
import { createFetch, type Fetch } from './https-fetch.ts'
import { signAssertion } from './sign-assertion.ts'

export interface TokenSet {
  accessToken: string
  /** Milliseconds since the epoch. */
  expiresAt: number
  /** Null: none came; the one that was used goes on. */
  refreshToken: string | null
}

/** What a person's login was begun with; the answer must fit it. */
export interface LoginRequest {
  /** Where the person logs in. */
  url: string
  state: string
  verifier: string
  redirectUri: string
}

export interface TokenClientOptions {
  /** `posthorn oauth login ACCOUNT`; null where nobody logs in. */
  loginCommand: string | null
  /** Milliseconds since the epoch. */
  now: () => number
}

const timeoutMs = 10_000
/** Where the provider does not say (RFC 6749 5.1). */
const assumedLifetimeSeconds = 1_800
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

export class TokenClient {
  readonly #config: OAuth2Config
  readonly #options: TokenClientOptions
  readonly #parties: readonly [oauth.AuthorizationServer, oauth.Client, oauth.ClientAuth]
  readonly #fetch: Fetch

  constructor(config: OAuth2Config, options: TokenClientOptions) {
    this.#config = config
    this.#options = options
    // Nothing that is read here depends on the issuer: ID tokens are dropped.
    const server = { issuer: new URL(config.tokenUrl).origin, token_endpoint: config.tokenUrl }
    this.#parties = [server, { client_id: config.clientId }, clientAuthOf(config)]
    this.#fetch = createFetch(config.tls, timeoutMs)
  }

  /** @param user shown to the provider, which then offers this login first */
  async beginLogin(redirectUri: string, user: string): Promise<LoginRequest> {
    const { authorizationUrl, clientId, scopes, authorizationParameters } = this.#config
    if (authorizationUrl === null) throw new Error('a login by a person has an authorization URL')
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const url = new URL(authorizationUrl)
    const parameters = {
      login_hint: user,
      ...authorizationParameters,
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope: scopes.join(' '),
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    return { url: url.href, state, verifier, redirectUri }
  }

  /**
   * @param answer the parameters with which the provider sent the browser back
   * @throws PosthornError `OAUTH_LOGIN_FAILED` (not the answer to this request, or the person refused), `OAUTH_*`
   */
  async finishLogin(request: LoginRequest, answer: URLSearchParams): Promise<TokenSet> {
    const parameters = new URLSearchParams(answer)
    // Says which of several servers answers; there is one, and what is configured does not name its issuer.
    parameters.delete('iss')
    let validated: URLSearchParams
    try {
      const [server, client] = this.#parties
      validated = oauth.validateAuthResponse(server, client, parameters, request.state)
    } catch (error) {
      throw loginFailed(error)
    }
    return this.#obtain([request.verifier, parameters.get('code') ?? ''], (options) =>
      oauth.authorizationCodeGrantRequest(...this.#parties, validated, request.redirectUri, request.verifier, options),
    )
  }

  /** @throws PosthornError `OAUTH_LOGIN_REQUIRED` (the grant is gone), `OAUTH_REFUSED`, `OAUTH_UNREACHABLE` */
  refresh(refreshToken: string): Promise<TokenSet> {
    return this.#obtain([refreshToken], (options) =>
      oauth.refreshTokenGrantRequest(...this.#parties, refreshToken, options),
    )
  }

  /** A token of a daemon's own. @throws PosthornError `OAUTH_REFUSED`, `OAUTH_UNREACHABLE` */
  async issue(): Promise<TokenSet> {
    const { jwt, scopes } = this.#config
    const parameters = { ...this.#extraParameters(), ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }) }
    if (jwt === null) {
      return this.#obtain([], (options) => oauth.clientCredentialsGrantRequest(...this.#parties, parameters, options))
    }
    const assertion = signAssertion(jwt, scopes, this.#options.now())
    return this.#obtain([assertion], (options) =>
      oauth.genericTokenEndpointRequest(...this.#parties, jwtBearer, { ...parameters, assertion }, options),
    )
  }

  #extraParameters(): Record<string, string> {
    const { tokenParameters } = this.#config
    return Object.fromEntries(Object.entries(tokenParameters).map(([name, value]) => [name, value.reveal()]))
  }

  async #obtain(
    secrets: readonly string[],
    request: (options: oauth.TokenEndpointRequestOptions) => Promise<Response>,
  ): Promise<TokenSet> {
    const { tokenUrl, clientSecret } = this.#config
    const { now, loginCommand } = this.#options
    const askedAt = now()
    try {
      const response = await request({
        additionalParameters: this.#extraParameters(),
        // The configuration lets http through for loopback addresses alone.
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: async (url, options) => dropIdToken(await this.#fetch(url, options)),
      })
      const [server, client] = this.#parties
      const tokens = await oauth.processGenericTokenEndpointResponse(server, client, response)
      return {
        accessToken: tokens.access_token,
        expiresAt: askedAt + (tokens.expires_in ?? assumedLifetimeSeconds) * 1000,
        refreshToken: tokens.refresh_token ?? null,
      }
    } catch (error) {
      const hidden = [...secrets, clientSecret?.reveal() ?? '', ...Object.values(this.#extraParameters())]
      throw classifyTokenError(error, { url: tokenUrl, loginCommand, secrets: hidden })
    }
  }
}

const clientAuthOf = ({ clientAuthentication, clientSecret, grant }: OAuth2Config): oauth.ClientAuth => {
  if (clientSecret === null || clientAuthentication === 'none') {
    // The assertion says who asks; a client id beside it is more than RFC 7523 2.1 wants.
    return grant === 'jwt_bearer' ? () => undefined : oauth.None()
  }
  const secret = clientSecret.reveal()
  return clientAuthentication === 'client_secret_basic'
    ? oauth.ClientSecretBasic(secret)
    : oauth.ClientSecretPost(secret)
}

/** Who logged in is the mail server's to judge. An ID token is not used, and so it is not verified but dropped. */
const dropIdToken = async (response: Response): Promise<Response> => {
  const text = await response.text()
  const { status, headers } = response
  try {
    const { id_token: _, ...rest } = JSON.parse(text) as Record<string, unknown>
    return new Response(JSON.stringify(rest), { status, headers })
  } catch {
    return new Response(text, { status, headers })
  }
}

const loginFailed = (error: unknown): PosthornError => {
  if (error instanceof oauth.AuthorizationResponseError) {
    const { error: code, error_description: description } = error
    const more = description === undefined ? '' : `: ${quoteProvider(description, [])}`
    return new PosthornError('OAUTH_LOGIN_FAILED', `the provider answers ${quoteProvider(code, [])}${more}`, {
      stage: 'authenticate',
      action:
        code === 'access_denied'
          ? 'Log in once more and agree; if an administrator must agree first, ask for that.'
          : 'Check oauth2: clientId, scopes, redirectUri, and how the client is registered at the provider.',
    })
  }
  return new PosthornError('OAUTH_LOGIN_FAILED', 'this is not the answer to the login that was begun here', {
    stage: 'authenticate',
    action: 'Use the URL that this command has printed, and the answer to that one.',
  })
}
