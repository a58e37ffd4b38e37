/**
 * A person's login: they open a URL, agree, and the provider's answer comes back, to a listener on this machine or, where
 * the browser is on another one (SSH), pasted by hand. Whichever comes first counts.
 */
import { PosthornError, toPosthornError } from '../errors.ts'
import { startCallbackServer } from './callback-server.ts'
import type { TokenClient, TokenSet } from './token-client.ts'

export interface LogInOptions {
  client: Pick<TokenClient, 'beginLogin' | 'finishLogin'>
  /** Null: a free port of loopback. */
  redirectUri: string | null
  /** As whom to log in. */
  user: string
  /** Shows the URL. `isListening`: the answer comes by itself where the browser runs on this machine. */
  show: (url: string, isListening: boolean) => void
  /** What is wrong with something that was pasted. */
  explain: (text: string) => void
  /** Lines that the person types. */
  pasted: AsyncIterable<string>
  /** Ends the wait. */
  signal: AbortSignal
}

export type FreshLogin = TokenSet & { refreshToken: string }

const foreign = 'This is not the answer to the login that was begun here.'

/** `http://127.0.0.1:1/callback?code=…`, or the part of it that counts; null: it is neither. */
const readPasted = (line: string): URLSearchParams | null => {
  const text = line.trim()
  const at = text.indexOf('?')
  const answer = new URLSearchParams(at === -1 ? text : text.slice(at + 1))
  return answer.has('code') || answer.has('error') ? answer : null
}

/** @throws PosthornError `OAUTH_*`, `ENVIRONMENT_UNSUITABLE`, `STOPPED` */
export const logIn = async (options: LogInOptions): Promise<FreshLogin> => {
  const { client, redirectUri, user, show, explain, pasted, signal } = options
  let resolve!: (tokens: FreshLogin) => void
  let reject!: (error: unknown) => void
  const loggedIn = new Promise<FreshLogin>((onTokens, onError) => {
    resolve = onTokens
    reject = onError
  })
  let finishing: Promise<string> | null = null
  const take = (answer: URLSearchParams): Promise<string> => {
    // Anybody on this machine can call the listener: what does not know the state is not listened to.
    if (answer.get('state') !== request.state) return Promise.resolve(foreign)
    finishing ??= client.finishLogin(request, answer).then((tokens) => {
      resolve(withRefreshToken(tokens))
      return 'Logged in. You can close this window.'
    })
    finishing.catch(reject)
    return finishing
  }
  const server = await startCallbackServer(redirectUri, (answer) => take(answer))
  const request = await client.beginLogin(server?.redirectUri ?? redirectUri ?? '', user)
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const readPastes = async (): Promise<void> => {
    for await (const line of pasted) {
      if (line.trim() === '') continue
      const answer = readPasted(line)
      if (answer === null) explain('Paste the whole address that the browser was sent to; it has "code=" in it.')
      else if (answer.get('state') !== request.state) explain(foreign)
      else return void (await take(answer))
    }
  }
  try {
    signal.throwIfAborted()
    show(request.url, server !== null)
    readPastes().catch(reject)
    return await loggedIn
  } catch (error) {
    throw signal.aborted ? interrupted() : toPosthornError(error, 'authenticate')
  } finally {
    signal.removeEventListener('abort', onAbort)
    server?.close()
  }
}

const withRefreshToken = (tokens: TokenSet): FreshLogin => {
  const { refreshToken } = tokens
  if (refreshToken !== null) return { ...tokens, refreshToken }
  throw new PosthornError('OAUTH_LOGIN_FAILED', 'the provider gave no refresh token: the login would soon be over', {
    stage: 'authenticate',
    action:
      'Ask for one: the scope offline_access, or whatever authorizationParameters the provider wants (Google: access_type: offline and prompt: consent).',
  })
}

const interrupted = (): PosthornError =>
  new PosthornError('STOPPED', 'the login was not finished', { stage: 'stop', action: 'Begin it again.' })
