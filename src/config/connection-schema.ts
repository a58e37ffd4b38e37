/** What several sections share: TLS options and OAuth 2.0. The descriptions become docs and the JSON Schema. Pure. */

import { z } from 'zod'

import { credentialUrl, filePath, line, oneOf, secret } from './values.ts'

/** Keys of the client side of TLS, spread into the section of the server that they are for. */
export const tlsKeys = {
  caFile: filePath
    .optional()
    .describe(
      'PEM file of the certificate authorities to trust instead of the public ones. Without it: the public ones.',
    ),
  certFile: filePath.optional().describe('PEM file of a client certificate and its chain; needs `keyFile`.'),
  keyFile: filePath.optional().describe('PEM file of the private key of `certFile`, not encrypted.'),
  serverName: line(253, 'a host name')
    .optional()
    .describe('Name that the certificate must have (and SNI), where it is not the host.'),
  minVersion: oneOf('TLSv1.2', 'TLSv1.3').prefault('TLSv1.2').describe('Lowest TLS version.'),
}

const parameters = z.record(line(100), line(2000), 'must be an object of texts')

const jwt = z.strictObject({
  issuer: line(320).optional().describe('`iss`. Without it: `clientId`.'),
  subject: line(320).optional().describe('`sub`: whose mailbox. Without it: `auth.user`.'),
  audience: line(2048).optional().describe('`aud`. Without it: `tokenUrl`.'),
  privateKeyFile: filePath.describe('PEM file of the private key that signs, not encrypted.'),
  keyId: line(320).optional().describe('`kid` header.'),
  algorithm: oneOf('RS256', 'ES256').prefault('RS256').describe('Signature algorithm.'),
})

export const oauth2 = z.strictObject({
  provider: oneOf('google', 'microsoft', 'custom').describe('`google` and `microsoft` fill in URLs and scopes.'),
  grant: oneOf('authorization_code', 'client_credentials', 'jwt_bearer')
    .prefault('authorization_code')
    .describe(
      '`authorization_code`: a person logs in once with `posthorn oauth login`; the others are for daemons without a person.',
    ),
  clientId: line(320).describe('Of the application registered at the provider.'),
  clientSecret: secret.optional().describe('Without it: a public client (PKCE only).'),
  clientAuthentication: oneOf('client_secret_basic', 'client_secret_post', 'none')
    .optional()
    .describe(
      'How the client proves itself (RFC 6749 2.3.1). Without it: `client_secret_post` with a secret, `none` without one.',
    ),
  scopes: z
    .array(line(500))
    .min(1, 'must name at least one scope')
    .optional()
    .describe('Required with `custom`. Without it: what mail needs at the provider.'),
  tenant: line(100)
    .regex(/^[A-Za-z0-9.-]+$/, 'must be a tenant id or domain')
    .optional()
    .describe('`microsoft`: the tenant. Without it: `common`; required with `client_credentials`.'),
  authorizationUrl: credentialUrl.optional().describe('Where the person logs in. Required with `custom` and a login.'),
  tokenUrl: credentialUrl.optional().describe('Where tokens come from. Required with `custom`.'),
  authorizationParameters: parameters.optional().describe('Extra parameters of the authorization request.'),
  tokenParameters: parameters.optional().describe('Extra parameters of the token request.'),
  redirectUri: credentialUrl
    .optional()
    .describe('As registered. Without it: `http://127.0.0.1:<a free port>/callback` (RFC 8252 7.3).'),
  mechanism: oneOf('xoauth2', 'oauthbearer').optional().describe('SASL mechanism. Without it: what the server offers.'),
  jwt: jwt.optional().describe('Required with `jwt_bearer` (RFC 7523 2.1).'),
  ...tlsKeys,
})

export type OAuth2Source = z.output<typeof oauth2>
export type TlsSource = Partial<Pick<OAuth2Source, keyof typeof tlsKeys>>
