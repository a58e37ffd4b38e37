/** Takes the provider's answer when the browser comes back (RFC 8252 7.3): an HTTP listener on loopback, for one login. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { isPosthornError, PosthornError } from '../errors.ts'

export interface CallbackServer {
  redirectUri: string
  close(): void
}

/** @returns what the person reads in the browser */
export type OnAnswer = (answer: URLSearchParams) => Promise<string>

/**
 * @param configured null: `http://127.0.0.1:<a free port>/callback`
 * @returns null where the address is not one of this machine's: then the answer can only be pasted
 * @throws PosthornError `ENVIRONMENT_UNSUITABLE`: the port is taken
 */
export const startCallbackServer = async (
  configured: string | null,
  onAnswer: OnAnswer,
): Promise<CallbackServer | null> => {
  const wanted = new URL(configured ?? 'http://127.0.0.1:0/callback')
  if (wanted.protocol !== 'http:') return null
  const server = createServer((request, response) => {
    // Anything on this machine can call: what is no URL (`//`) must not end the login.
    const { url: target = '/' } = request
    const url = new URL(URL.canParse(target, wanted.href) ? target : '/', wanted)
    const isAnswer = request.method === 'GET' && url.pathname === wanted.pathname
    const answered = isAnswer ? onAnswer(url.searchParams) : Promise.resolve('There is nothing here.')
    void answered.then(
      (text) => {
        // Plain text: nothing that came with the request is shown, and nothing could be markup.
        response.writeHead(isAnswer ? 200 : 404, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
        response.end(`${text}\n`)
      },
      (error: unknown) => {
        response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
        response.end(`The login failed: ${isPosthornError(error) ? error.message : 'see the terminal'}\n`)
      },
    )
  })
  const port = await listen(server, wanted)
  if (configured === null) wanted.port = String(port)
  return { redirectUri: configured ?? wanted.href, close: () => void server.close() }
}

const listen = async (server: Server, { hostname, port }: URL): Promise<number> => {
  try {
    server.listen(port === '' ? 80 : Number(port), hostname.replace(/^\[|\]$/g, ''))
    await once(server, 'listening')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    throw new PosthornError('ENVIRONMENT_UNSUITABLE', `port ${port} of ${hostname} can't be listened on (${code})`, {
      stage: 'start',
      action: 'Free the port, or take another one for oauth2.redirectUri, here and at the provider.',
    })
  }
  return (server.address() as AddressInfo).port
}
