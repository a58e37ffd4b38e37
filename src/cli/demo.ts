import { once } from 'node:events'
import pino from 'pino'
import type { Demo } from '../demo/run-demo.ts'
import { orAborted, Releasers } from '../lifecycle.ts'
import { logEvents } from '../log-events.ts'
import type { CliContext, Register } from './context.ts'

export const registerDemo: Register = (program, context) => {
  program
    .command('demo')
    .description('start Kafka, a mail server and an S3 server here, and send a mail once around through Posthorn')
    .option('--once', 'end after the round trip, with its facts as one line of JSON')
    .action(async ({ once: isOnce = false }: { once?: boolean }) => {
      const releasers = new Releasers()
      try {
        // A download or an installation that is under way is not waited for.
        const demo = await orAborted(start(context, releasers), context.io.signal)
        if (isOnce) {
          // Everything is stopped before the last line, so that whoever reads it finds nothing running.
          await releasers.releaseAll()
          await context.printJson(demo.summary)
          return
        }
        await context.print(describe(demo))
        await untilAborted(context.io.signal, demo.ended)
        if (!context.io.signal.aborted) throw demo.ended.reason
        context.progress('stopping')
      } catch (error) {
        if (!context.io.signal.aborted) throw error
        context.progress('interrupted: stopping')
        context.exitCode = 1
      } finally {
        await releasers.releaseAll()
      }
    })
}

/** Resolves when one of them is aborted. */
const untilAborted = async (...signals: readonly AbortSignal[]): Promise<void> => {
  if (!signals.some(({ aborted }) => aborted)) await Promise.race(signals.map((signal) => once(signal, 'abort')))
}

const start = async (context: CliContext, releasers: Releasers): Promise<Demo> => {
  const { env, signal, createId, now, stderr } = context.io
  const { runDemo } = await import('../demo/run-demo.ts')
  const log = pino({ level: context.options.debug === true ? 'debug' : 'warn', base: null }, stderr)
  const isTerminal = 'isTTY' in stderr && stderr.isTTY === true
  let shown = 0
  return runDemo(releasers, {
    env,
    signal,
    createId,
    now,
    random: Math.random,
    emit: logEvents(log),
    kafkaLog: (level, text) => log.debug({ kafka: level }, text),
    say: (text) => context.progress(`• ${text}`),
    showProgress: (text) => {
      if (isTerminal) stderr.write(`\r\u001b[K  ${text}${text.includes('47 of 47') ? '\n' : ''}`)
      else if (now() - shown > 1_000) {
        shown = now()
        context.progress(`  ${text}`)
      }
    },
  })
}

const describe = ({ summary: { endpoints, seconds }, http, configFile }: Demo): string => `
The round trip took ${seconds} s with everything that had to be started. It all runs on:

  Kafka  ${endpoints.kafka}
  SMTP   ${endpoints.smtp}
  IMAP   ${endpoints.imap}
  S3     ${endpoints.s3}
  HTTP   ${http}/readyz, /metrics

The configuration is in ${configFile}. In another terminal, in this folder:

  npx posthorn tail inbound --from-beginning --config ${configFile}
  npx posthorn send --to demo@posthorn.example --subject Hi --text Hello --account demo --wait --config ${configFile}
  npx posthorn check --config ${configFile}

Ctrl-C ends everything.
`
