/**
 * A real authorization server in this process (oidc-provider): authorization code with PKCE, rotating refresh tokens whose
 * reuse revokes the grant, client credentials, introspection as Dovecot asks for it. Whoever logs in is the `login_hint`,
 * without a page to fill in.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

import { Provider, type Adapter, type AdapterPayload } from 'oidc-provider'

export const clientId = 'posthorn'
export const clientSecret = 'test-client-secret'
export const daemonId = 'daemon'

export interface AuthorizationServerOptions {
  /** Seconds. */
  accessTokenLifetime?: number
}

/** What is stored, so that a test can see and change it. */
class Storage {
  readonly entries = new Map<string, { payload: AdapterPayload; consumed: boolean }>()

  adapter = (model: string): Adapter => {
    const { entries } = this
    const keyOf = (id: string) => `${model}:${id}`
    const read = (id: string) => {
      const entry = entries.get(keyOf(id))
      if (entry === undefined) return undefined
      return { ...entry.payload, ...(entry.consumed ? { consumed: 1 } : {}) }
    }
    return {
      upsert: async (id, payload) => void entries.set(keyOf(id), { payload, consumed: false }),
      find: async (id) => read(id),
      findByUserCode: async () => undefined,
      findByUid: async (uid) => [...entries.values()].find(({ payload }) => payload.uid === uid)?.payload,
      consume: async (id) => {
        const entry = entries.get(keyOf(id))
        if (entry !== undefined) entry.consumed = true
      },
      destroy: async (id) => void entries.delete(keyOf(id)),
      revokeByGrantId: async (grantId) => {
        for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key)
      },
    }
  }

  forget(isMeant: (model: string) => boolean): void {
    for (const key of this.entries.keys()) if (isMeant(key.slice(0, key.indexOf(':')))) this.entries.delete(key)
  }
}

export interface AuthorizationServer {
  /** As the configuration of an account has it. */
  oauth2: object
  /** With the credentials of the mail server in it. */
  introspectionUrl: string
  /** How often tokens were given, by grant type. */
  granted: Map<string, number>
  refused: string[]
  /** Every access token ends now, before its time. */
  expireAccessTokens(): void
  /** The person, or the provider's owner, withdraws everything that was granted. */
  revokeAll(): void
  /** Answers the next token request only when the gate opens, though its tokens are given. */
  holdTokens(): { arrived: Promise<void>; open: () => void }
  /** Logs in as a browser does. @returns where the browser was sent with the answer */
  logIn(authorizationUrl: string): Promise<string>
}

export const startAuthorizationServer = async (
  t: TestContext,
  { accessTokenLifetime = 3600 }: AuthorizationServerOptions = {},
): Promise<AuthorizationServer> => {
  const storage = new Storage()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    adapter: storage.adapter,
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['http://127.0.0.1/callback'],
        token_endpoint_auth_method: 'client_secret_post',
      },
      {
        client_id: daemonId,
        client_secret: clientSecret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
      },
      {
        client_id: 'mail-server',
        client_secret: clientSecret,
        grant_types: [],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    scopes: ['openid', 'offline_access', 'mail'],
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: accessTokenLifetime, ClientCredentials: accessTokenLifetime },
    findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    cookies: { keys: ['test'] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  })
  provider.on('server_error', (_, error) => console.error(error))
  const granted = new Map<string, number>()
  const refused: string[] = []
  provider.on('grant.success', ({ oidc }) => {
    const type = String(oidc.params?.['grant_type'])
    granted.set(type, (granted.get(type) ?? 0) + 1)
  })
  provider.on('grant.error', (_, { error }) => refused.push(error))
  let hold: { arrived: () => void; opened: Promise<void> } | null = null
  provider.use(async (ctx, next) => {
    if (ctx.path === '/token' && hold !== null) {
      const { arrived, opened } = hold
      hold = null
      // Held back after the tokens were rotated: their answer is what may be lost.
      await next()
      arrived()
      return opened
    }
    if (ctx.path.startsWith('/interaction/')) {
      const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res)
      const accountId = session?.accountId ?? String(params['login_hint'])
      if (prompt.name === 'login') {
        return provider
          .interactionFinished(ctx.req, ctx.res, { login: { accountId } })
          .then(() => void (ctx.respond = false))
      }
      const grant = new provider.Grant({ accountId, clientId: String(params['client_id']) })
      grant.addOIDCScope(String(params['scope']))
      const consent = { grantId: await grant.save() }
      await provider.interactionFinished(ctx.req, ctx.res, { consent }, { mergeWithLastSubmission: true })
      ctx.respond = false
      return
    }
    await next()
    const body = ctx.body as { active?: boolean; sub?: string; client_id?: string; username?: string } | undefined
    if (ctx.path.endsWith('/introspection') && body?.active === true) {
      const username = body.sub ?? body.client_id
      if (username !== undefined) body.username = username
    }
  })
  const answer = provider.callback()
  server.on('request', (request, response) => void answer(request, response))
  return {
    oauth2: {
      provider: 'custom',
      clientId,
      clientSecret,
      authorizationUrl: `${issuer}/auth`,
      tokenUrl: `${issuer}/token`,
      scopes: ['openid', 'offline_access', 'mail'],
      authorizationParameters: { prompt: 'consent' },
    },
    introspectionUrl: `${issuer.replace('//', `//mail-server:${clientSecret}@`)}/token/introspection`,
    granted,
    refused,
    expireAccessTokens: () => storage.forget((model) => model === 'AccessToken'),
    revokeAll: () => storage.forget((model) => model !== 'Session'),
    holdTokens: () => {
      let open = (): void => undefined
      const opened = new Promise<void>((resolve) => (open = resolve))
      const arrived = new Promise<void>((resolve) => {
        hold = { arrived: resolve, opened }
      })
      return { arrived, open }
    },
    logIn: (url) => logIn(url, issuer),
  }
}

const mostRedirects = 10

/** Follows redirects with cookies until they lead away from the server. */
const logIn = async (authorizationUrl: string, issuer: string): Promise<string> => {
  const cookies = new Map<string, string>()
  let url = authorizationUrl
  for (let step = 0; step < mostRedirects; step += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`no redirect but ${response.status}: ${await response.text()}`)
    url = new URL(location, url).href
    if (!url.startsWith(`${issuer}/`)) return url
  }
  throw new Error('too many redirects')
}
