/** The entry of the `posthorn` command: the process as seen by the command line, which is in `run-cli.ts`. */
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { realPorts } from './real-ports.ts'
import { runCli } from './run-cli.ts'

const exitByImpatience = 130
/** A connection that does not close must not keep a finished command alive. */
const lingerMs = 2_000

// The SDK tells every user of Node 20 that its releases of 2027 will not run there; the version here is pinned.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'

const end = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (end.signal.aborted) process.exit(exitByImpatience)
    end.abort()
  })
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `posthorn tail inbound | head -1`: whoever reads has had enough.
  if (error.code !== 'EPIPE') throw error
  end.abort()
})

process.exitCode = await runCli(
  process.argv.slice(2),
  {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: end.signal,
    // Only where somebody listens: other commands end with their terminal.
    onReload: (listener) => void process.on('SIGHUP', listener),
    createId: randomUUID,
    now: Date.now,
  },
  realPorts,
)
setTimeout(() => process.exit(), lingerMs).unref()
