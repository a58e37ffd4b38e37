import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { InvalidArgumentError, Option } from 'commander'
import pino from 'pino'
import type { Role } from '../events.ts'
import { logEvents } from '../log-events.ts'
import type { Register } from './context.ts'

interface RunOptions {
  roles: Role[]
}

const allRoles: readonly Role[] = ['send', 'receive']
/** Below the 20 s within which the process has promised to be gone. */
const stopTimeoutMs = 18_000

const parseRoles = (text: string): Role[] =>
  text.split(',').map((name) => {
    const role = allRoles.find((one) => one === name.trim())
    if (role === undefined)
      throw new InvalidArgumentError(`It must be ${allRoles.join(' or ')}, or both joined by a comma.`)
    return role
  })

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
      const config = context.config()
      const log = pino({ level: context.options.debug === true ? 'debug' : 'info', base: null }, stderr)
      const emit = logEvents(log)
      const posthorn = await context.startPosthorn(config, {
        roles,
        emit,
        // What matters comes as an event.
        kafkaLog: (level, text) => log.debug({ kafka: level }, text),
        now,
        random: Math.random,
      })
      if (!signal.aborted) await once(signal, 'abort')
      emit({ type: 'Stopping', reason: 'signal' })
      const isStopped = await Promise.race([
        posthorn.stop().then(() => true),
        delay(stopTimeoutMs, false, { ref: false }),
      ])
      if (isStopped) emit({ type: 'Stopped' })
      else log.error('not everything was settled in time: it will be repeated')
    })
}
