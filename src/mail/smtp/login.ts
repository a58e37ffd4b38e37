/**
 * The login (RFC 4954) with what the account has: PLAIN, LOGIN and CRAM-MD5 are nodemailer's, XOAUTH2 and OAUTHBEARER
 * (RFC 7628) are handed to it here, because their token comes from outside.
 */
import type {
  SMTPConnectionAuth,
  SMTPConnectionCustomAuthContext,
  SMTPConnectionCustomAuthHandlers,
} from 'nodemailer/lib/smtp-connection'

import type { AuthConfig } from '../../config/config.ts'
import type { OAuth2Login } from '../access-tokens.ts'

export interface LoginMethod {
  /** Which of the offered mechanisms is taken; null: none of them will do. */
  choose(offered: readonly string[], encrypted: boolean): (SMTPConnectionAuth & { method: string }) | null
  handlers: SMTPConnectionCustomAuthHandlers
  secrets: readonly string[]
}

/** @param token for `auth.method: oauth2` */
export const loginMethod = (
  auth: AuthConfig,
  server: { host: string; port: number },
  token: string | null,
): LoginMethod =>
  auth.method === 'password' ? passwordLogin(auth.user, auth.password.reveal()) : tokenLogin(auth, server, token ?? '')

const passwordLogin = (user: string, pass: string): LoginMethod => ({
  choose(offered, encrypted) {
    // CRAM-MD5 shows the password to nobody, which counts only where somebody could look.
    const order = encrypted ? ['PLAIN', 'LOGIN', 'CRAM-MD5'] : ['CRAM-MD5', 'PLAIN', 'LOGIN']
    const method = order.find((name) => offered.includes(name))
    return method === undefined ? null : { method, user, pass }
  },
  handlers: {},
  secrets: [pass, `\0${user}\0${pass}`],
})

const tokenLogin = (auth: OAuth2Login, { host, port }: { host: string; port: number }, token: string): LoginMethod => {
  const xoauth2 = `user=${auth.user}\x01auth=Bearer ${token}\x01\x01`
  const oauthbearer = `n,a=${saslName(auth.user)},\x01host=${host}\x01port=${port}\x01auth=Bearer ${token}\x01\x01`
  const exchange =
    (mechanism: string, initial: string, afterError: string) =>
    async ({ sendCommand }: SMTPConnectionCustomAuthContext): Promise<void> => {
      let reply = await sendCommand(`AUTH ${mechanism} ${Buffer.from(initial, 'utf8').toString('base64')}`)
      // The server explains itself in a challenge that has to be answered before it gives its verdict.
      if (reply.status === 334) reply = await sendCommand(afterError)
      if (reply.status !== 235) throw new Error('the token was refused')
    }
  return {
    choose(offered) {
      const wanted = auth.oauth2.mechanism === null ? ['XOAUTH2', 'OAUTHBEARER'] : [auth.oauth2.mechanism.toUpperCase()]
      const method = wanted.find((name) => offered.includes(name))
      return method === undefined ? null : { method: handlerOf(method), user: auth.user }
    },
    handlers: {
      [handlerOf('XOAUTH2')]: exchange('XOAUTH2', xoauth2, ''),
      [handlerOf('OAUTHBEARER')]: exchange('OAUTHBEARER', oauthbearer, 'AQ=='),
    },
    secrets: [token, xoauth2, oauthbearer],
  }
}

/** nodemailer takes a login named XOAUTH2 for its own and, without its token generator, tries PLAIN instead. */
const handlerOf = (mechanism: string): string => `TOKEN-${mechanism}`

/** SASL mechanism of a login that `choose` has chosen. */
export const mechanismOf = (method: string): string => method.replace(/^TOKEN-/, '')

/** RFC 5801 4: `saslname`. */
const saslName = (user: string): string => user.replaceAll('=', '=3D').replaceAll(',', '=2C')
