import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountConfig, OAuth2Config } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { OAuthTokens } from '../../src/oauth/oauth-tokens.ts'

const loginWith = (clientId: string) => ({
  method: 'oauth2' as const,
  user: 'u',
  oauth2: {
    grant: 'client_credentials',
    clientId,
    tokenUrl: 'https://127.0.0.1/token',
    clientSecret: new Secret('s'),
    tls: { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' },
  } as unknown as OAuth2Config,
})

test('who still uses the login of a configuration that was replaced gets no second set of tokens', async (t) => {
  const tokens = new OAuthTokens({
    config: { kafka: {}, oauth: {} } as never,
    openRecords: () => assert.fail('a daemon stores nothing'),
    patience: 'worker',
    emit: () => undefined,
    now: () => 0,
    random: () => 0,
  })
  t.after(() => tokens.close())
  const [before, after] = [loginWith('before'), loginWith('after')]
  const known = tokens.of('main', before)
  tokens.keep([{ name: 'main', smtp: null, imap: { auth: after } } as unknown as AccountConfig])
  assert.equal(tokens.of('main', before), known)
  assert.notEqual(tokens.of('main', after), known)
})
