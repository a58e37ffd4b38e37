import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { InvalidArgumentError, Option } from 'commander'
import pino from 'pino'
import { toPosthornError } from '../errors.ts'
import type { Role } from '../events.ts'
import { logEvents } from '../log-events.ts'
import type { Register } from './context.ts'
import { formatError } from './report-error.ts'

interface RunOptions {
  roles: Role[]
}

/**
 * What a sent mail leaves behind is garbage within a second. V8 would let it pile up to several times what lives before it
 * looks at the old generation again; a worker's memory is worth more than the few hundredths of its time that looking
 * costs. A worker that receives has megabytes of mail in buffers, on whose account V8 would look all the time: half as much
 * processor time again.
 */
const heapGrowingPercent = 50

const allRoles: readonly Role[] = ['send', 'receive']
/** Below the 20 s within which the process has promised to be gone. */
const stopTimeoutMs = 16_000

const parseRoles = (text: string): Role[] =>
  text.split(',').map((name) => {
    const role = allRoles.find((one) => one === name.trim())
    if (role === undefined)
      throw new InvalidArgumentError(`It must be ${allRoles.join(' or ')}, or both joined by a comma.`)
    return role
  })

/** Resolves when the time for stopping is over. */
const untilLate = async (signal: AbortSignal): Promise<'late'> => {
  if (!signal.aborted) await once(signal, 'abort')
  return delay(stopTimeoutMs, 'late', { ref: false })
}

export const registerRun: Register = (program, context) => {
  program
    .command('run')
    .description('send and receive mail until SIGTERM or Ctrl-C; logs lines of JSON on stderr')
    .addOption(
      new Option('--roles <list>', 'what this process does')
        .argParser(parseRoles)
        .default([...allRoles], allRoles.join(',')),
    )
    .action(async ({ roles }: RunOptions) => {
      const { stderr, signal, now } = context.io
      if (!roles.includes('receive')) setFlagsFromString(`--heap-growing-percent=${heapGrowingPercent}`)
      const config = context.config()
      const log = pino({ level: context.options.debug === true ? 'debug' : 'info', base: null }, stderr)
      const emit = logEvents(log)
      const reload = (posthorn: Awaited<ReturnType<typeof context.startPosthorn>>): void => {
        try {
          void posthorn.reload(context.readConfig())
        } catch (error) {
          const { code, message, action } = toPosthornError(error, 'configure')
          emit({ type: 'ConfigRejected', code, message, action })
        }
      }
      const work = async (): Promise<void> => {
        const starting = context.startPosthorn(config, {
          roles,
          emit,
          // What matters comes as an event.
          kafkaLog: (level, text) => log.debug({ kafka: level }, text),
          signal,
          now,
          random: Math.random,
        })
        // A signal that nobody listens to would end the process, also one that comes while it starts.
        context.io.onReload(() => void starting.then(reload, () => undefined))
        const posthorn = await starting
        if (!signal.aborted) await once(signal, 'abort')
        await posthorn.stop()
      }
      signal.addEventListener('abort', () => emit({ type: 'Stopping', reason: 'signal' }), { once: true })
      try {
        const outcome = await Promise.race([work(), untilLate(signal)])
        if (outcome === 'late') log.error('not everything was settled in time: it will be repeated')
        else emit({ type: 'Stopped' })
      } catch (error) {
        // Told to stop, it stops: what could not be let go of ends with the process.
        if (!signal.aborted) throw error
        log.debug({ error: formatError(error) }, 'interrupted')
        emit({ type: 'Stopped' })
      }
    })
}
