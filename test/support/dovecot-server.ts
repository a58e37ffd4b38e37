/**
 * A Dovecot of one's own, from a generated configuration: IMAP with and without STARTTLS, IMAPS, LMTP. It needs
 * nothing of the system's Dovecot but its programs.
 *
 * Any user name is a user, with the password `secret`: a test takes a name that nobody else uses.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { awaitReady } from '../../src/embedded/await-ready.ts'
import { findFreePorts } from '../../src/embedded/free-ports.ts'
import { Supervisor, type ServerProcess } from '../../src/embedded/supervisor.ts'
import { createCertificates, type TestCertificates } from './certificates.ts'

const run = promisify(execFile)

export interface DovecotOptions {
  /** Between the levels of a folder name. */
  separator?: '/' | '.'
  /** Of the names of all folders but INBOX. */
  prefix?: string
  /** Only clients with a certificate of the test authority may log in. */
  clientCertificates?: boolean
  /** Capabilities that the server hides: what is not offered is not used. */
  withoutCapabilities?: readonly string[]
  /** More lines of the configuration. */
  settings?: readonly string[]
}

export interface MailUser {
  user: string
  password: string
}

const password = 'secret'
const name = 'Dovecot'

/** Mail processes never run as root. */
const mailOwner = (): { uid: number; gid: number; user: string; isRoot: boolean } => {
  const { uid, gid, username } = userInfo()
  return uid === 0
    ? { uid: 65_534, gid: 65_534, user: 'nobody', isRoot: true }
    : { uid, gid, user: username, isRoot: false }
}

const findProgram = (): string | null =>
  ['/usr/sbin/dovecot', '/usr/local/sbin/dovecot', '/opt/homebrew/sbin/dovecot'].find((path) => existsSync(path)) ??
  null

/** Installs it where that can be done without asking. @throws Error that says how to install it */
const requireProgram = async (): Promise<string> => {
  const found = findProgram()
  if (found !== null) return found
  if (userInfo().uid === 0 && existsSync('/usr/bin/apt-get')) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const apt = (...args: string[]) => run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], { env })
    await apt('update')
    await apt('install', '-y', '--no-install-recommends', 'dovecot-imapd', 'dovecot-lmtpd')
  }
  const installed = findProgram()
  if (installed !== null) return installed
  throw new Error('these tests need Dovecot: install it (Debian: apt-get install dovecot-imapd dovecot-lmtpd)')
}

const writeConfiguration = (
  root: string,
  ports: { imap: number; imaps: number; lmtp: number },
  { separator = '/', prefix = '', clientCertificates = false, withoutCapabilities = [], settings = [] }: DovecotOptions,
): string => {
  const { uid, gid, user, isRoot } = mailOwner()
  const hidden = withoutCapabilities.map((capability) => ` -${capability}`).join('')
  const services = ['anvil', 'stats', 'imap-login', 'auth', 'config', 'log', 'lmtp', 'imap', 'director', 'ipc', 'dict']
  return [
    `base_dir = ${root}/run`,
    `state_dir = ${root}/state`,
    `log_path = ${root}/dovecot.log`,
    'protocols = imap lmtp',
    'listen = 127.0.0.1',
    'instance_name = posthorn-test',
    ...(isRoot ? [] : [`default_internal_user = ${user}`, `default_login_user = ${user}`]),
    ...(isRoot ? [] : services.map((service) => `service ${service} {\n  chroot =\n}`)),
    `mail_location = maildir:${root}/mail/%u:LAYOUT=fs:INBOX=${root}/mail/%u/INBOX`,
    'mail_fsync = never',
    `first_valid_uid = 1`,
    `first_valid_gid = 1`,
    `passdb {\n  driver = static\n  args = password=${password}\n}`,
    `userdb {\n  driver = static\n  args = uid=${uid} gid=${gid} home=${root}/mail/%u allow_all_users=yes\n}`,
    'auth_failure_delay = 0',
    'auth_mechanisms = plain login',
    'disable_plaintext_auth = no',
    'mail_max_userip_connections = 5000',
    'namespace inbox {',
    '  inbox = yes',
    `  separator = ${separator}`,
    `  prefix = ${prefix}`,
    ...['Archive', 'Sent', 'Drafts', 'Junk', 'Trash'].map(
      (special) => `  mailbox ${special} {\n    auto = subscribe\n    special_use = \\${special}\n  }`,
    ),
    '}',
    'ssl = yes',
    `ssl_cert = <${root}/server.pem`,
    `ssl_key = <${root}/server.key`,
    ...(clientCertificates
      ? [
          `ssl_ca = <${root}/ca.pem`,
          'ssl_verify_client_cert = yes',
          'ssl_require_crl = no',
          'auth_ssl_require_client_cert = yes',
        ]
      : []),
    'service imap-login {',
    '  service_count = 0',
    '  client_limit = 5000',
    `  inet_listener imap {\n    port = ${ports.imap}\n  }`,
    `  inet_listener imaps {\n    port = ${ports.imaps}\n    ssl = yes\n  }`,
    '}',
    'service imap {\n  process_limit = 5000\n}',
    `service lmtp {\n  inet_listener lmtp {\n    address = 127.0.0.1\n    port = ${ports.lmtp}\n  }\n}`,
    ...(hidden === '' ? [] : [`protocol imap {\n  imap_capability =${hidden}\n}`]),
    ...settings,
    '',
  ].join('\n')
}

const isListening = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('data', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
    socket.setTimeout(1_000, () => socket.destroy(new Error('no answer')))
  })

export class Dovecot {
  readonly host = '127.0.0.1'
  /** STARTTLS is offered there. */
  readonly imapPort: number
  readonly imapsPort: number
  readonly lmtpPort: number
  readonly certificates: TestCertificates
  readonly #root: string
  readonly #program: string
  readonly #supervisor = new Supervisor()
  #process: ServerProcess | null = null
  #delivered = 0

  constructor(root: string, program: string, ports: number[], certificates: TestCertificates) {
    const [imap = 0, imaps = 0, lmtp = 0] = ports
    this.#root = root
    this.#program = program
    this.imapPort = imap
    this.imapsPort = imaps
    this.lmtpPort = lmtp
    this.certificates = certificates
  }

  newUser(prefix = 'user'): MailUser {
    return { user: `${prefix}-${randomUUID().slice(0, 8)}`, password }
  }

  async start(): Promise<void> {
    this.#process = await this.#supervisor.start({
      name,
      command: this.#program,
      args: ['-F', '-c', join(this.#root, 'dovecot.conf')],
      cwd: this.#root,
      logFile: join(this.#root, 'start.log'),
    })
    const bounds = { name, timeoutMs: 20_000, signal: new AbortController().signal }
    await awaitReady(this.#process, () => isListening(this.imapPort), bounds)
  }

  /** Every connection is closed; mail and settings stay. */
  async stop(): Promise<void> {
    await this.#process?.stop()
  }

  /** All of its processes end at once, as after a crash of the machine. */
  async kill(): Promise<void> {
    if (this.#process === null || this.#process.hasExited) return
    // The supervisor starts it as the leader of a group.
    process.kill(-this.#process.pid, 'SIGKILL')
    await this.#process.exited
  }

  async release(): Promise<void> {
    await this.#supervisor.close()
    await rm(this.#root, { recursive: true, force: true })
  }

  /** Ends every session of a user, as providers do when a token expires. */
  async kick({ user }: Pick<MailUser, 'user'>): Promise<void> {
    await run('doveadm', ['-c', join(this.#root, 'dovecot.conf'), 'kick', user])
  }

  log(): Promise<string> {
    return readFile(join(this.#root, 'dovecot.log'), 'utf8')
  }

  /**
   * Puts messages into a folder as a mail server does: each appears whole, in order. Much faster than any protocol.
   * @param raws with CRLF: the server passes them on byte for byte
   */
  async deliver({ user }: Pick<MailUser, 'user'>, raws: Iterable<Buffer | string>, folder = 'INBOX'): Promise<void> {
    const { uid, gid, isRoot } = mailOwner()
    const home = join(this.#root, 'mail', user)
    const path = join(home, folder)
    const own = (made: string): unknown => (isRoot ? chown(made, uid, gid) : undefined)
    for (const made of [home, path, ...['tmp', 'new', 'cur'].map((part) => join(path, part))]) {
      await mkdir(made, { recursive: true, mode: 0o700 })
      await own(made)
    }
    for (const raw of raws) {
      this.#delivered += 1
      const file = `${1_700_000_000 + this.#delivered}.M${this.#delivered}P${process.pid}.test`
      await writeFile(join(path, 'tmp', file), raw)
      await own(join(path, 'tmp', file))
      await rename(join(path, 'tmp', file), join(path, 'new', file))
    }
  }

  /** Loses the index of INBOX, as after a restored backup: a new UIDVALIDITY, every message under a new UID. */
  async renumber({ user }: Pick<MailUser, 'user'>): Promise<void> {
    const path = join(this.#root, 'mail', user, 'INBOX')
    for (const name of await readdir(path)) if (name.startsWith('dovecot')) await rm(join(path, name))
  }

  /** Deletes a folder and makes it again: a new UIDVALIDITY, and UIDs from 1 on. */
  async recreate({ user }: Pick<MailUser, 'user'>, folder: string): Promise<void> {
    const config = join(this.#root, 'dovecot.conf')
    await run('doveadm', ['-c', config, 'mailbox', 'delete', '-u', user, folder])
    await run('doveadm', ['-c', config, 'mailbox', 'create', '-u', user, folder])
  }

  /** The names of the files of a folder, with their flags. */
  async files({ user }: Pick<MailUser, 'user'>, folder = 'INBOX'): Promise<string[]> {
    const path = join(this.#root, 'mail', user, folder)
    return [...(await readdir(join(path, 'new'))), ...(await readdir(join(path, 'cur')))]
  }
}

/** @param options of its configuration. The caller releases it. */
export const startDovecot = async (options: DovecotOptions): Promise<Dovecot> => {
  const program = await requireProgram()
  const root = await mkdtemp(join(tmpdir(), 'posthorn-dovecot-'))
  // Its processes run as different users and must find their way through.
  await chmod(root, 0o755)
  const ports = await findFreePorts(3)
  const [imap = 0, imaps = 0, lmtp = 0] = ports
  const certificates = createCertificates()
  const mail = join(root, 'mail')
  await mkdir(mail, { mode: 0o755 })
  const { uid, gid, isRoot } = mailOwner()
  if (isRoot) await chown(mail, uid, gid)
  await writeFile(join(root, 'ca.pem'), certificates.ca)
  await writeFile(join(root, 'server.pem'), certificates.server.cert)
  await writeFile(join(root, 'server.key'), certificates.server.key, { mode: 0o600 })
  await writeFile(join(root, 'dovecot.conf'), writeConfiguration(root, { imap, imaps, lmtp }, options))
  const dovecot = new Dovecot(root, program, ports, certificates)
  try {
    await dovecot.start()
  } catch (error) {
    const log = await dovecot.log().catch(() => 'it has no log')
    await dovecot.release()
    throw new Error(`Dovecot does not start: ${log}`, { cause: error })
  }
  return dovecot
}
