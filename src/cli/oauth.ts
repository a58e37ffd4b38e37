import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import process from 'node:process'
import type { AccountConfig, OAuth2Config } from '../config/config.ts'
import { personLogins } from '../config/person-logins.ts'
import { PosthornError } from '../errors.ts'
import { planTopics } from '../kafka/topic-plan.ts'
import { ensureTopics } from '../kafka/topics.ts'
import { loginProblem } from '../oauth/login-log.ts'
import type { TokenTopic } from '../oauth/token-topic.ts'
import { browserCommand } from './browser-command.ts'
import type { CliContext, Register } from './context.ts'
import { toTable } from './printable.ts'
import { jsonOption } from './shared-options.ts'

interface LoginOptions {
  smtp?: boolean
  imap?: boolean
  browser: boolean
  json?: boolean
}

const timeoutMs = 15 * 60_000

const accountOf = (context: CliContext, name: string): AccountConfig => {
  const { accounts } = context.config()
  const account = accounts[name]
  if (account !== undefined) return account
  throw new PosthornError('USAGE_INVALID', `the configuration has no account ${name}`, {
    stage: 'configure',
    action: `Name one of: ${Object.keys(accounts).join(', ')}.`,
  })
}

/** The clients to log in with: those of the directions that were named, else all. */
const chooseLogins = (account: AccountConfig, { smtp, imap }: LoginOptions): OAuth2Config[] => {
  const wanted = (['smtp', 'imap'] as const).filter((owner) => (owner === 'smtp' ? smtp : imap) === true)
  const all = personLogins(account)
  const of = (owner: 'smtp' | 'imap') => {
    const auth = account[owner]?.auth
    return all.filter((client) => auth?.method === 'oauth2' && auth.oauth2 === client)
  }
  const chosen = wanted.length === 0 ? all : [...new Set(wanted.flatMap(of))]
  if (chosen.length > 0) return chosen
  const where = wanted.length === 0 ? 'smtp or imap' : wanted.join(' or ')
  throw new PosthornError('USAGE_INVALID', `account ${account.name} has no login by a person for ${where}`, {
    stage: 'configure',
    action: 'Only oauth2 with grant: authorization_code needs one; other grants log in by themselves.',
  })
}

const userOf = ({ smtp, imap }: AccountConfig, client: OAuth2Config): string => {
  const auth = [smtp?.auth, imap?.auth].find((one) => one?.method === 'oauth2' && one.oauth2 === client)
  return auth?.user ?? ''
}

const openBrowser = (context: CliContext, url: string): void => {
  const command = browserCommand(process.platform, context.io.env)
  if (command === null) return
  const child = spawn(command[0], [...command.slice(1), url], { stdio: 'ignore', detached: true })
  // There is none after all: the URL stands on the screen.
  child.on('error', () => undefined)
  child.unref()
}

const openStore = async (context: CliContext): Promise<TokenTopic> => {
  const { openTokenTopic, requireEncryptionKey } = await import('../oauth/oauth-tokens.ts')
  const config = context.config()
  requireEncryptionKey(config.oauth)
  const plan = planTopics(config).filter(({ role }) => role === 'oauthTokens')
  await ensureTopics(await context.kafka().admin(), plan)
  const topic = openTokenTopic(context.oauthOptions())
  context.onClose(() => topic.close())
  await topic.ready()
  return topic
}

export const registerOAuth: Register = (program, context) => {
  const oauth = program.command('oauth').description('logins by OAuth 2.0')

  oauth
    .command('login')
    .description('log in once as the person whose mailbox it is; workers take it from there')
    .argument('<account>', 'as the configuration names it')
    .option('--smtp', 'for sending only, where both directions have a login of their own')
    .option('--imap', 'for receiving only')
    .option('--no-browser', 'only print the URL')
    .addOption(jsonOption())
    .action(async (name: string, options: LoginOptions) => {
      const account = accountOf(context, name)
      const logins = chooseLogins(account, options)
      const topic = await openStore(context)
      const { TokenClient } = await import('../oauth/token-client.ts')
      const { logIn } = await import('../oauth/log-in.ts')
      const { now, stdin, signal } = context.io
      const lines = createInterface({ input: stdin, terminal: false })
      context.onClose(() => lines.close())
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
      for (const oauth2 of logins) {
        const client = new TokenClient(oauth2, { loginCommand: null, now })
        const fresh = await logIn({
          client,
          redirectUri: oauth2.redirectUri,
          user: userOf(account, oauth2),
          show: (url, isListening) => {
            const where = isListening ? 'If that browser is on another machine, paste' : 'Then paste'
            const text = `Open this URL in a browser and log in:\n\n${url}\n\n${where} the address that it ends at here:\n`
            if (options.json === true) context.progress(text)
            else void context.print(text)
            if (options.browser && isListening) openBrowser(context, url)
          },
          explain: (text) => context.progress(text),
          pasted: lines,
          signal: deadline,
        })
        const login = { account: name, owner: oauth2.owner }
        const earlier = topic.stateOf(login).tokens
        const { accessToken, expiresAt, refreshToken } = fresh
        const loggedInAt = Math.max(now(), (earlier?.loggedInAt ?? 0) + 1)
        const grant = { grantId: randomUUID(), loggedInAt, clientId: oauth2.clientId, refreshedAt: now() }
        await topic.append(login, { kind: 'tokens', ...grant, accessToken, expiresAt, refreshToken })
        if (earlier !== null) await topic.remove(login, earlier.grantId)
        if (options.json === true) await context.printJson({ ok: true, account: name, direction: oauth2.owner })
        else await context.print(`Logged in: ${name} (${oauth2.owner}). Workers use it from now on.\n`)
      }
    })

  oauth
    .command('status')
    .description('which logins there are, and which are needed')
    .addOption(jsonOption())
    .action(async ({ json }: { json?: boolean }) => {
      const topic = await openStore(context)
      const rows = Object.values(context.config().accounts).flatMap((account) =>
        personLogins(account).map(({ owner, clientId }) => {
          const state = topic.stateOf({ account: account.name, owner })
          const problem = loginProblem(state, clientId)
          const toTime = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())
          return {
            account: account.name,
            direction: owner,
            ok: problem === null,
            problem,
            loggedInAt: toTime(state.tokens?.loggedInAt),
            refreshedAt: toTime(state.tokens?.refreshedAt),
          }
        }),
      )
      if (json === true) return context.printJson({ logins: rows })
      const table = rows.map(({ account, direction, loggedInAt, refreshedAt, problem }) => [
        account,
        direction,
        loggedInAt ?? '',
        refreshedAt ?? '',
        problem ?? '',
      ])
      return context.print(toTable([['ACCOUNT', 'DIRECTION', 'LOGGED IN', 'REFRESHED', 'PROBLEM'], ...table]))
    })
}
