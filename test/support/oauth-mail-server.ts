/** Dovecot that takes access tokens for IMAP and for submission, asking the authorization server about each. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'

import { findFreePorts } from '../../src/embedded/free-ports.ts'
import { testDovecot, type Dovecot } from './dovecot.ts'
import { testServers } from './servers.ts'

const run = promisify(execFile)

const requireSubmission = async (): Promise<void> => {
  if (existsSync('/usr/lib/dovecot/submission-login')) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = ['-q', '-o', 'DPkg::Lock::Timeout=300']
  await run('apt-get', [...apt, 'update'], { env })
  await run('apt-get', [...apt, 'install', '-y', '--no-install-recommends', 'dovecot-submissiond'], { env })
}

export interface OAuthMailServer {
  dovecot: Dovecot
  /** STARTTLS is offered there. Hands mails on to the shared SMTP server. */
  submissionPort: number
}

export const startOAuthMailServer = async (t: TestContext, introspectionUrl: string): Promise<OAuthMailServer> => {
  await requireSubmission()
  const folder = await mkdtemp(join(tmpdir(), 'posthorn-oauth-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const passdb = join(folder, 'oauth2.conf')
  await writeFile(
    passdb,
    [
      'introspection_mode = post',
      `introspection_url = ${introspectionUrl}`,
      'force_introspection = yes',
      'username_attribute = username',
      'active_attribute = active',
      'active_value = true',
      '',
    ].join('\n'),
  )
  const [submissionPort = 0] = await findFreePorts(1)
  const { mail } = await testServers()
  const dovecot = await testDovecot({
    alone: true,
    settings: [
      'protocols = imap lmtp submission',
      'auth_mechanisms = plain oauthbearer xoauth2',
      `passdb {\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n  args = ${passdb}\n}`,
      // A refused login is not made to wait: tests refuse many.
      'service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}',
      `submission_relay_host = ${mail.host}`,
      `submission_relay_port = ${mail.smtpPort}`,
      'submission_relay_trusted = no',
      'hostname = localhost',
      `service submission-login {\n  inet_listener submission {\n    port = ${submissionPort}\n  }\n}`,
    ],
  })
  t.after(() => dovecot.release())
  return { dovecot, submissionPort }
}
