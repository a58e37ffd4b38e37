import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { toPosthornError, PosthornError } from '../errors.ts'
import { registerCheck } from './check.ts'
import { registerCheckpoints } from './checkpoints.ts'
import { CliContext, type CliPorts, type GlobalOptions, type Register } from './context.ts'
import { registerDeadLetters } from './dead-letters.ts'
import { registerDemo } from './demo.ts'
import { writeText, type CliIo } from './io.ts'
import { exitCodeOf, formatError } from './report-error.ts'
import { registerOAuth } from './oauth.ts'
import { registerMailbox } from './mailbox.ts'
import { registerRun } from './run.ts'
import { registerSchemas } from './schemas.ts'
import { registerSend } from './send.ts'
import { registerTail } from './tail.ts'
import { registerTopics } from './topics.ts'

const commands: readonly Register[] = [
  registerDemo,
  registerRun,
  registerCheck,
  registerSend,
  registerTail,
  registerMailbox,
  registerTopics,
  registerOAuth,
  registerSchemas,
  registerCheckpoints,
  registerDeadLetters,
]

const readVersion = (): string => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : ''
}

const createProgram = (context: CliContext): Command => {
  const { io } = context
  const program = new Command('posthorn')
    .description('Mail out of Kafka over SMTP, mail into Kafka over IMAP: nothing lost, nothing silently repeated.')
    .version(readVersion(), '--version')
    .option('--config <file>', 'configuration file (default: posthorn.yaml in this folder)')
    .option('--debug', 'show where an error comes from, and what the Kafka client says')
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void writeText(io.stdout, text),
      writeErr: (text) => void writeText(io.stderr, text),
      // Wrong usage is reported like every other error, by `runCli`.
      outputError: () => undefined,
    })
    .hook('preAction', (_, command) => {
      context.options = command.optsWithGlobals<GlobalOptions>()
    })
  for (const register of commands) register(program, context)
  return program
}

const toUsageError = ({ message }: CommanderError): PosthornError =>
  new PosthornError('USAGE_INVALID', message.replace(/^error: /, '').replaceAll('\n', ' '), {
    stage: 'configure',
    action: 'Add --help to the command to see how it is used.',
  })

/**
 * Runs one command line.
 *
 * @param argv without the program's own name
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration
 */
export const runCli = async (argv: readonly string[], io: CliIo, ports: CliPorts): Promise<number> => {
  const context = new CliContext(io, ports)
  const fail = async (thrown: unknown): Promise<number> => {
    const error = toPosthornError(thrown, 'start')
    await writeText(io.stderr, formatError(error, argv.includes('--debug')))
    return exitCodeOf(error)
  }
  let code: number
  try {
    await createProgram(context).parseAsync([...argv], { from: 'user' })
    code = context.exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) code = await fail(error)
    // Help and version that were asked for; help in place of a missing command counts as wrong usage.
    else if (error.exitCode === 0) code = 0
    else code = error.code === 'commander.help' ? 2 : await fail(toUsageError(error))
  }
  await context.close().catch((error: unknown) => context.debug(formatError(error, true)))
  return code
}
