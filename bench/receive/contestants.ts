/** What Posthorn is measured beside, on the same folder in the same run. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { BenchServers } from './bench-servers.ts'
import { startMeasured, type ProcessCost } from './measured-process.ts'

const run = promisify(execFile)

export interface Login {
  user: string
  password: string
}

export interface Timed extends ProcessCost {
  name: string
  messages: number
  /** From the start of the process. */
  seconds: number
  /** From the first message that it could have taken; the same where nothing has to be joined first. */
  secondsInRun: number
}

const readerProgram = new URL('../fetch-reader.ts', import.meta.url).pathname

export const runFetchReader = async ({ dovecot }: BenchServers, { user, password }: Login): Promise<Timed> => {
  const start = performance.now()
  const reader = startMeasured(process.execPath, [
    '--import',
    'tsx',
    readerProgram,
    String(dovecot.imapPort),
    user,
    password,
  ])
  await reader.finished
  const seconds = (performance.now() - start) / 1000
  const [messages, milliseconds] = reader.lines[0]?.split(' ').map(Number) ?? []
  return {
    name: 'UID FETCH, discarded',
    messages: messages ?? 0,
    seconds,
    secondsInRun: (milliseconds ?? 0) / 1000,
    ...reader.cost(),
  }
}

const requireMbsync = async (): Promise<string> => {
  const path = '/usr/bin/mbsync'
  if (!existsSync(path) && existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    await run('apt-get', ['-q', 'install', '-y', '--no-install-recommends', 'isync'])
  }
  if (!existsSync(path)) throw new Error('this benchmark needs mbsync: install it (Debian: apt-get install isync)')
  return path
}

export const mbsyncName = 'mbsync, fresh Maildir'

/** Into a fresh Maildir, without waiting for the disk: its fastest way. */
export const runMbsync = async ({ dovecot, folder }: BenchServers, { user, password }: Login): Promise<Timed> => {
  const program = await requireMbsync()
  const root = join(folder, 'mbsync')
  await mkdir(join(root, 'mail'), { recursive: true })
  const settings = join(root, 'mbsyncrc')
  await writeFile(
    settings,
    `FSync no

IMAPStore far
Host ${dovecot.host}
Port ${dovecot.imapPort}
SSLType None
User ${user}
Pass ${password}

MaildirStore near
Path ${root}/mail/
Inbox ${root}/mail/INBOX

Channel all
Far :far:
Near :near:
Sync Pull
Create Near
SyncState *
`,
  )
  try {
    const start = performance.now()
    const process = startMeasured(program, ['-q', '-c', settings, 'all'], root)
    await process.finished
    const seconds = (performance.now() - start) / 1000
    const inbox = join(root, 'mail', 'INBOX')
    const messages = (await readdir(join(inbox, 'new'))).length + (await readdir(join(inbox, 'cur'))).length
    return { name: mbsyncName, messages, seconds, secondsInRun: seconds, ...process.cost() }
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
