/** One account: its two servers, who may send, what is received. Pure but for the injected reader of files. */

import type { AccountSource, CredentialsSource } from './account-schema.ts'
import { compileCredentials } from './compile-auth.ts'
import { compileReceive } from './compile-receive.ts'
import { compileTls, readPrivateKey, type Compilation } from './compile-tls.ts'
import type { AccountConfig, AuthConfig, DkimConfig, ImapConfig, ServerConfig, SmtpConfig } from './config.ts'
import type { KeyPath } from './problems.ts'
import { noProfile, providerProfiles, type ProviderProfile } from './provider-profiles.ts'

type SmtpSource = NonNullable<AccountSource['smtp']>
type ImapSource = NonNullable<AccountSource['imap']>

const smtpPorts = { none: 25, starttls: 587, tls: 465 }
const imapPorts = { none: 143, starttls: 143, tls: 993 }

const ownCredentials = (auth: SmtpSource['auth']): CredentialsSource | null => (typeof auth === 'object' ? auth : null)

/** A login written once and meant for both directions is compiled once, so that they share one OAuth grant. */
const compileLogins = (
  source: AccountSource,
  at: KeyPath,
  compilation: Compilation,
): { smtp: AuthConfig | null; imap: AuthConfig | null } => {
  const compileOwn = (owner: 'smtp' | 'imap'): AuthConfig | null => {
    const own = ownCredentials(source[owner]?.auth)
    return own === null ? null : compileCredentials(own, owner, [...at, owner, 'auth'], compilation)
  }
  const smtp = compileOwn('smtp')
  const imap = compileOwn('imap')
  if (source.imap?.auth === 'same-as-smtp' && ownCredentials(source.smtp?.auth) === null) {
    compilation.report([...at, 'imap', 'auth'], 'same-as-smtp needs a login in smtp.auth')
  }
  if (source.smtp?.auth === 'same-as-imap' && ownCredentials(source.imap?.auth) === null) {
    compilation.report([...at, 'smtp', 'auth'], 'same-as-imap needs a login in imap.auth')
  }
  return {
    smtp: source.smtp?.auth === 'same-as-imap' ? imap : smtp,
    imap: source.imap?.auth === 'same-as-smtp' ? smtp : imap,
  }
}

const compileServer = (
  source: SmtpSource | ImapSource,
  ports: typeof smtpPorts,
  auth: AuthConfig | null,
  at: KeyPath,
  compilation: Compilation,
): ServerConfig => {
  if (source.auth !== undefined && source.security === 'none' && !source.allowPlaintextAuth) {
    const rule = 'a login without TLS would show the credentials to the network; use security: starttls or tls'
    compilation.report([...at, 'auth'], `${rule}, or allow it with allowPlaintextAuth: true`)
  }
  return {
    host: source.host,
    port: source.port ?? ports[source.security],
    security: source.security,
    tls: compileTls(source, at, compilation),
    auth,
    allowPlaintextAuth: source.allowPlaintextAuth,
    connectTimeoutMs: source.connectTimeout,
  }
}

/** The bare address of `Name <address>` or `address`; null where there is none. */
const bareAddress = (from: string): string | null => {
  const address = (/<([^<>]*)>\s*$/.exec(from)?.[1] ?? from).trim()
  return /^[^\s<>@,;]+@[^\s<>@,;]+$/.test(address) ? address : null
}

const compileSender = (
  source: SmtpSource,
  auth: AuthConfig | null,
  at: KeyPath,
  { report }: Compilation,
): Pick<SmtpConfig, 'from' | 'allowedFrom'> => {
  const from = source.from ?? (auth !== null && bareAddress(auth.user) === auth.user ? auth.user : null)
  const address = from === null ? null : bareAddress(from)
  if (from !== null && address === null) report([...at, 'from'], 'must be one address, perhaps as Name <address>')
  if (address !== null && /[*?]/.test(address)) {
    report([...at, 'from'], 'must not contain * or ?, which are wildcards in allowedFrom')
  }
  if (from === null && source.allowedFrom === undefined) {
    report([...at, 'from'], 'is required where auth.user is no address and allowedFrom is not given')
  }
  const own = address === null ? [] : [address]
  return { from, allowedFrom: [...new Set([...own, ...(source.allowedFrom ?? [])])] }
}

const compileDkim = (source: SmtpSource, at: KeyPath, compilation: Compilation): DkimConfig | null => {
  if (source.dkim === undefined) return null
  const { domain, selector, privateKeyFile } = source.dkim
  const privateKey = readPrivateKey(privateKeyFile, [...at, 'dkim', 'privateKeyFile'], compilation)
  return privateKey === null ? null : { domain, selector, privateKey }
}

const compileSmtp = (
  source: SmtpSource,
  auth: AuthConfig | null,
  profile: ProviderProfile,
  at: KeyPath,
  compilation: Compilation,
): SmtpConfig => ({
  ...compileServer(source, smtpPorts, auth, at, compilation),
  ...compileSender(source, auth, at, compilation),
  connections: source.connections ?? profile.smtpConnections,
  messagesPerConnection: source.messagesPerConnection ?? profile.messagesPerConnection,
  rate: source.rate ?? profile.rate,
  dkim: compileDkim(source, at, compilation),
})

const compileImap = (
  source: ImapSource,
  auth: AuthConfig | null,
  profile: ProviderProfile,
  at: KeyPath,
  compilation: Compilation,
): ImapConfig => ({
  ...compileServer(source, imapPorts, auth, at, compilation),
  connections: source.connections ?? profile.imapConnections,
  probeIntervalMs: source.probeInterval,
  commandTimeoutMs: source.commandTimeout,
})

export const compileAccount = (
  name: string,
  source: AccountSource,
  at: KeyPath,
  compilation: Compilation,
): AccountConfig => {
  const profile = source.profile === undefined ? noProfile : providerProfiles[source.profile]
  if (source.smtp === undefined && source.imap === undefined) compilation.report(at, 'must have smtp, imap or both')
  if (source.receive.length > 0 && source.imap === undefined) {
    compilation.report([...at, 'receive'], 'needs imap, the server to receive from')
  }
  const logins = compileLogins(source, at, compilation)
  return {
    name,
    smtp: source.smtp ? compileSmtp(source.smtp, logins.smtp, profile, [...at, 'smtp'], compilation) : null,
    imap: source.imap ? compileImap(source.imap, logins.imap, profile, [...at, 'imap'], compilation) : null,
    receive: compileReceive(source.receive, [...at, 'receive'], compilation.report),
    archiveFolder: source.archiveFolder ?? null,
    sentFolder: source.sentFolder ?? null,
  }
}
