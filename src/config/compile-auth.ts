/** Logins and OAuth 2.0 grants: presets and defaults filled in, contradictions reported. Pure. */

import type { CredentialsSource } from './account-schema.ts'
import type { Report } from './check-shape.ts'
import { compileTls, readPrivateKey, type Compilation } from './compile-tls.ts'
import type { AuthConfig, OAuth2Config } from './config.ts'
import type { OAuth2Source } from './connection-schema.ts'
import type { KeyPath } from './problems.ts'
import { Secret } from './secret.ts'

interface Preset {
  readonly authorizationUrl: string
  readonly tokenUrl: string
  readonly scopes: readonly string[]
  readonly daemonScopes: readonly string[]
  readonly authorizationParameters: Readonly<Record<string, string>>
}

const presetOf = (source: OAuth2Source): Preset | null => {
  switch (source.provider) {
    case 'google':
      return {
        authorizationUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
        tokenUrl: 'https://oauth2.googleapis.com/token',
        scopes: ['https://mail.google.com/'],
        daemonScopes: ['https://mail.google.com/'],
        // Without both Google gives no refresh token at a second login.
        authorizationParameters: { access_type: 'offline', prompt: 'consent' },
      }
    case 'microsoft': {
      const base = `https://login.microsoftonline.com/${source.tenant ?? 'common'}/oauth2/v2.0`
      const outlook = 'https://outlook.office.com'
      return {
        authorizationUrl: `${base}/authorize`,
        tokenUrl: `${base}/token`,
        scopes: [`${outlook}/IMAP.AccessAsUser.All`, `${outlook}/SMTP.Send`, 'offline_access'],
        daemonScopes: ['https://outlook.office365.com/.default'],
        authorizationParameters: {},
      }
    }
    case 'custom':
      return null
    default:
      return source.provider satisfies never
  }
}

const reportOAuth2 = (source: OAuth2Source, at: KeyPath, report: Report): void => {
  const isCustom = source.provider === 'custom'
  const needs = (key: keyof OAuth2Source, reason: string): void => {
    if (source[key] === undefined) report([...at, key], `is required with ${reason}`)
  }
  if (isCustom) needs('tokenUrl', 'provider: custom')
  if (isCustom) needs('scopes', 'provider: custom')
  if (isCustom && source.grant === 'authorization_code') needs('authorizationUrl', 'a login by a person')
  if (source.grant === 'client_credentials') needs('clientSecret', 'grant: client_credentials')
  if (source.grant === 'jwt_bearer') needs('jwt', 'grant: jwt_bearer')
  else if (source.jwt !== undefined) report([...at, 'jwt'], 'is only for grant: jwt_bearer')
  if (source.provider === 'microsoft') {
    if (source.grant === 'client_credentials' && source.tokenUrl === undefined) {
      needs('tenant', 'provider: microsoft and grant: client_credentials')
    }
  } else if (source.tenant !== undefined) report([...at, 'tenant'], 'is only for provider: microsoft')
  if (source.clientSecret === undefined && (source.clientAuthentication ?? 'none') !== 'none') {
    report([...at, 'clientAuthentication'], 'needs clientSecret')
  }
}

/** @param user Whose mailbox, where a signed assertion names no other subject. */
export const compileOAuth2 = (
  source: OAuth2Source,
  owner: OAuth2Config['owner'],
  user: string,
  at: KeyPath,
  compilation: Compilation,
): OAuth2Config => {
  reportOAuth2(source, at, compilation.report)
  const preset = presetOf(source)
  const isLogin = source.grant === 'authorization_code'
  const tokenUrl = source.tokenUrl ?? preset?.tokenUrl ?? ''
  const key =
    source.jwt === undefined
      ? null
      : readPrivateKey(source.jwt.privateKeyFile, [...at, 'jwt', 'privateKeyFile'], compilation)
  return {
    owner,
    provider: source.provider,
    grant: source.grant,
    clientId: source.clientId,
    clientSecret: source.clientSecret === undefined ? null : new Secret(source.clientSecret),
    clientAuthentication:
      source.clientAuthentication ?? (source.clientSecret === undefined ? 'none' : 'client_secret_post'),
    scopes: source.scopes ?? (isLogin ? preset?.scopes : preset?.daemonScopes) ?? [],
    authorizationUrl: source.authorizationUrl ?? preset?.authorizationUrl ?? null,
    tokenUrl,
    authorizationParameters: { ...preset?.authorizationParameters, ...source.authorizationParameters },
    tokenParameters: Object.fromEntries(
      Object.entries(source.tokenParameters ?? {}).map(([name, value]) => [name, new Secret(value)]),
    ),
    redirectUri: source.redirectUri ?? null,
    jwt:
      source.jwt === undefined || key === null
        ? null
        : {
            issuer: source.jwt.issuer ?? source.clientId,
            subject: source.jwt.subject ?? user,
            audience: source.jwt.audience ?? tokenUrl,
            privateKey: key,
            keyId: source.jwt.keyId ?? null,
            algorithm: source.jwt.algorithm,
          },
    mechanism: source.mechanism ?? null,
    tls: compileTls(source, at, compilation),
  }
}

/** @returns Null when something was reported. */
export const compileCredentials = (
  source: CredentialsSource,
  owner: OAuth2Config['owner'],
  at: KeyPath,
  compilation: Compilation,
): AuthConfig | null => {
  const { user, password, oauth2 } = source
  if (password !== undefined && oauth2 !== undefined) compilation.report(at, 'must have password or oauth2, not both')
  if (oauth2 !== undefined) {
    return {
      method: 'oauth2',
      user,
      oauth2: compileOAuth2(oauth2, owner, user, [...at, 'oauth2'], compilation),
    }
  }
  if (password !== undefined) return { method: 'password', user, password: new Secret(password) }
  compilation.report(at, 'must have password or oauth2')
  return null
}
