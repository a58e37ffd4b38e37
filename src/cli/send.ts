import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { Option, type Command } from 'commander'
import type { SendAttachmentInput } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'
import { contentTypeOf } from './content-types.ts'
import type { CliContext, Register } from './context.ts'
import { collect, parseDuration, parseMessageId, parsePair, parseTime } from './parse-options.ts'
import { flagsOfOneMail, requestFromFlags, requestFromLine, type SendFlags } from './request-input.ts'
import { brokersOption, jsonOption } from './shared-options.ts'
import { Submission } from './submission.ts'

interface SendOptions extends SendFlags {
  key?: string
  wait?: boolean
  timeout?: number
}

const usage = (message: string, action: string): PosthornError =>
  new PosthornError('USAGE_INVALID', message, { stage: 'configure', action })

const readAttachment = async (path: string): Promise<SendAttachmentInput> => {
  const fileName = basename(path)
  try {
    return { fileName, contentType: contentTypeOf(fileName), content: await readFile(path) }
  } catch (cause) {
    const { code = 'unknown reason' } = cause as NodeJS.ErrnoException
    throw new PosthornError('USAGE_INVALID', `--attach ${path}: the file can't be read (${code})`, {
      stage: 'configure',
      cause,
    })
  }
}

const hasRecipient = ({ to, cc, bcc }: SendFlags): boolean => [to, cc, bcc].some((list) => list !== undefined)

/** Where the requests come from: the flags, or stdin where these name nobody. */
const assertUsage = (flags: SendFlags, isTerminal: boolean): void => {
  if (hasRecipient(flags)) return
  const given = flagsOfOneMail.filter((flag) => flags[flag] !== undefined)
  if (given.length > 0) {
    const names = given.map((flag) => `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`)
    throw usage(`${names.join(', ')} without a recipient`, 'Add --to, --cc or --bcc.')
  }
  if (isTerminal)
    throw usage('there is nobody to send to', 'Name a recipient with --to, or give lines of JSON on stdin.')
}

const sendLines = async (context: CliContext, submission: Submission, defaults: SendFlags): Promise<void> => {
  const { stdin, signal, createId } = context.io
  const lines = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })
  const stop = (): void => lines.close()
  signal.addEventListener('abort', stop, { once: true })
  let number = 0
  for await (const line of lines) {
    number += 1
    if (submission.isBroken) break
    if (line.trim() === '') continue
    const label = `line ${number}: `
    try {
      await submission.add(requestFromLine(line, defaults, createId()), label)
    } catch (error) {
      await submission.reject(error, label)
    }
  }
  signal.removeEventListener('abort', stop)
  // The rest of the input was not read.
  if (signal.aborted) context.exitCode = 1
}

const addSendFlags = (command: Command): Command =>
  command
    .option('--to <address>', 'recipient; may be repeated, as may --cc and --bcc', collect)
    .option('--cc <address>', 'copy', collect)
    .option('--bcc <address>', 'blind copy', collect)
    .option('--reply-to <address>', 'where answers go', collect)
    .option('--from <address>', "sender (default: the account's)")
    .option('--subject <text>')
    .option('--text <text>', 'plain text body')
    .option('--html <html>', 'HTML body')
    .option('--attach <file>', 'attachment; may be repeated', collect)
    .option('--header <field>', 'extra header field, "Name: value"; may be repeated', parsePair(':'))
    .option('--tag <pair>', 'name=value, returned in the result; may be repeated', parsePair('='))
    .option('--in-reply-to <message-id>', 'the mail that this one answers', parseMessageId)
    .addOption(new Option('--priority <priority>').choices(['HIGH', 'NORMAL', 'LOW']))
    .addOption(new Option('--delivery <guarantee>').choices(['AT_LEAST_ONCE', 'AT_MOST_ONCE', 'VERIFY']))
    .option('--send-at <time>', 'not before', parseTime)
    .option('--expires-at <time>', 'not from then on', parseTime)
    .option('--save-to <folder>', 'IMAP folder of the account that gets a copy')
    .option('--account <name>', 'who sends (default: default)')
    .option('--id <id>', 'the idempotency key (default: a new one)')

export const registerSend: Register = (program, context) => {
  addSendFlags(program.command('send').description('publish send requests, from flags or from lines of JSON on stdin'))
    .option('--key <key>', 'record key: requests with the same key are sent in their order')
    .option('--wait', 'print the final result of each; exit 1 unless all are DELIVERED')
    .option('--timeout <duration>', 'longest wait for the results', parseDuration)
    .addOption(brokersOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nA line on stdin is one SendRequest: {"to": ["a@example.com"], "subject": "…", "text": "…"}.\n' +
        'Bytes (attachments[].content, body.content) are base64. A line without an id gets one.',
    )
    .action(async (options: SendOptions) => {
      const { key, wait, timeout, ...flags } = options
      assertUsage(flags, context.io.stdin.isTTY === true)
      const attachments = await Promise.all((flags.attach ?? []).map(readAttachment))
      const submission = await Submission.open(context, {
        key: key ?? null,
        wait: wait === true,
        timeoutMs: timeout ?? null,
      })
      if (hasRecipient(flags)) {
        const request = requestFromFlags(flags, attachments, context.io.createId())
        await submission.add({ id: request.id, request }, '')
      } else {
        await sendLines(context, submission, flags)
      }
      await submission.finish()
    })
}
