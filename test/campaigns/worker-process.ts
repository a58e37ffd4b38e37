/** A worker of a campaign: the same configuration each time, killed and started again. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const command = new URL('../../bin/posthorn.js', import.meta.url).pathname

export class WorkerProcess {
  readonly #configFile: string
  #child: ChildProcess
  #exited: Promise<number | null>
  #log = ''

  constructor(configFile: string) {
    this.#configFile = configFile
    ;[this.#child, this.#exited] = this.#spawn()
  }

  /** SIGKILL, and another in its place. */
  async replace(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
    ;[this.#child, this.#exited] = this.#spawn()
  }

  /** SIGTERM. @returns the exit code */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.#exited
  }

  /** SIGKILL, and no other. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** The end of what it logged, in all its lives. */
  get lastWords(): string {
    return this.#log.slice(-4_000)
  }

  #spawn(): [ChildProcess, Promise<number | null>] {
    const args = [command, 'run', '--config', this.#configFile, '--roles', 'send']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString('utf8')).slice(-100_000)
    })
    return [child, once(child, 'exit').then(([code]) => code as number | null)]
  }
}
