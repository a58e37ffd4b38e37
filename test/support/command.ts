/** The `posthorn` command as a person runs it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

const program = new URL('../../bin/posthorn.js', import.meta.url).pathname

export class Command {
  stdout = ''
  stderr = ''
  readonly #child
  readonly exited: Promise<number | null>

  constructor(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...env } })
    this.#child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString('utf8')))
    this.#child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString('utf8')))
    // `close`: what it has written has been read.
    this.exited = once(this.#child, 'close').then(([code]) => code as number | null)
    t.after(async () => {
      this.#child.kill('SIGKILL')
      await this.exited
    })
  }

  /** Waits for something on stdout. @returns its first group */
  async prints(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.stdout)
      if (found !== null) return found[1] ?? found[0]
      const [code] = await Promise.race([once(this.#child.stdout, 'data'), this.exited.then((code) => [code])])
      if (typeof code === 'number') throw new Error(`ended with ${code}: ${this.stdout}${this.stderr}`)
    }
  }

  type(text: string): void {
    this.#child.stdin.write(text)
  }
}
