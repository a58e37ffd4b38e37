/**
 * Starts servers as child processes and makes sure that none of them outlives this process, however it ends.
 *
 * Each server is the leader of a process group of its own, so a Ctrl-C in the terminal reaches only Posthorn, which then
 * stops the servers in order. For the case that Posthorn itself is killed there is a guardian: a tiny process at the
 * other end of a pipe. The system closes the pipe when this process is gone, and the guardian ends what it was told of.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import process from 'node:process'
import { PosthornError } from '../errors.ts'
import { explainFailure } from './explain-failure.ts'

export interface ServerProcess {
  readonly pid: number
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>
  readonly hasExited: boolean
  /** SIGTERM, and SIGKILL if that does not help within the time. */
  stop(): Promise<void>
  /** SIGKILL at once. */
  kill(): Promise<void>
  /** Why it has ended, with the last lines of its log. */
  explain(): Promise<PosthornError>
}

export interface ServerCommand {
  name: string
  command: string
  args: readonly string[]
  cwd: string
  /** Everything that it prints. */
  logFile: string
  stopTimeoutMs?: number
}

const guardianProgram = `
  const pids = new Set()
  let rest = ''
  process.stdin.on('data', (chunk) => {
    const lines = (rest + chunk).split('\\n')
    rest = lines.pop()
    for (const line of lines) line[0] === '-' ? pids.delete(line.slice(1)) : pids.add(line)
  })
  const end = (signal) => { for (const pid of pids) try { process.kill(Number(pid), signal) } catch { pids.delete(pid) } }
  process.stdin.on('end', () => {
    end('SIGTERM')
    let left = 50
    setInterval(() => {
      end(left-- > 0 ? 0 : 'SIGKILL')
      if (pids.size === 0) process.exit()
    }, 100)
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
`

export class Supervisor {
  #guardian: ChildProcess | null = null
  readonly #running = new Set<ServerProcess>()
  #isClosed = false

  async start({ name, command, args, cwd, logFile, stopTimeoutMs = 10_000 }: ServerCommand): Promise<ServerProcess> {
    if (this.#isClosed) throw new PosthornError('STOPPED', `${name} is not needed any more`, { stage: 'stop' })
    const log = await open(logFile, 'a').catch((error: unknown) => {
      throw explainFailure(error, `starting ${name}`)
    })
    const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', log.fd, log.fd] })
    const exited = new Promise<void>((resolve) => {
      child.once('error', () => resolve())
      child.once('exit', () => resolve())
    })
    await log.close()
    const { pid } = child
    if (pid === undefined) {
      throw new PosthornError('ENVIRONMENT_UNSUITABLE', `${name} could not be started: ${command} can't be run`, {
        stage: 'start',
      })
    }
    this.#tell(`${pid}`)
    const signal = (which: NodeJS.Signals) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(which)
    }
    const running: ServerProcess = {
      pid,
      exited,
      get hasExited() {
        return child.exitCode !== null || child.signalCode !== null
      },
      stop: async () => {
        const timer = setTimeout(() => signal('SIGKILL'), stopTimeoutMs)
        signal('SIGTERM')
        await exited
        clearTimeout(timer)
      },
      kill: async () => {
        signal('SIGKILL')
        await exited
      },
      explain: async () => {
        const lines = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n')
        const how = child.signalCode ?? `exit code ${child.exitCode}`
        if (lines.some((line) => line.includes('No space left on device'))) {
          return explainFailure({ code: 'ENOSPC' }, name)
        }
        const last = lines.slice(-4).join(' | ').slice(-600)
        return new PosthornError('ENVIRONMENT_UNSUITABLE', `${name} has ended (${how}): ${last}`, { stage: 'start' })
      },
    }
    this.#running.add(running)
    void exited.then(() => {
      this.#running.delete(running)
      this.#tell(`-${pid}`)
    })
    return running
  }

  /** Ends whatever still runs, and the guardian. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#running].map((server) => server.stop()))
    this.#guardian?.stdin?.end()
    this.#guardian = null
  }

  #tell(line: string): void {
    this.#guardian ??= this.#startGuardian()
    this.#guardian.stdin?.write(`${line}\n`)
  }

  #startGuardian(): ChildProcess {
    const guardian = spawn(process.execPath, ['-e', guardianProgram], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    guardian.on('error', () => undefined)
    guardian.stdin?.on('error', () => undefined)
    guardian.unref()
    return guardian
  }
}
