import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { logIn, type LogInOptions } from '../../src/oauth/log-in.ts'

interface Attempt {
  url: Promise<string>
  redirectUri: () => string
  explained: string[]
  type: (line: string) => void
  done: ReturnType<typeof logIn>
}

const begin = (more: Partial<LogInOptions> = {}, refreshToken: string | null = 'r'): Attempt => {
  let redirectUri = ''
  let show: (url: string) => void = () => undefined
  const url = new Promise<string>((resolve) => (show = resolve))
  const explained: string[] = []
  const typed: string[] = []
  let wake: () => void = () => undefined
  async function* pasted(): AsyncGenerator<string> {
    for (;;) {
      for (const line of typed.splice(0)) yield line
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  const done = logIn({
    client: {
      beginLogin: async (uri) => {
        redirectUri = uri
        return { url: 'https://login.example.com', state: 's1', verifier: 'v', redirectUri: uri }
      },
      finishLogin: async (_, answer) => ({ accessToken: answer.get('code') ?? '', expiresAt: 1, refreshToken }),
    },
    redirectUri: null,
    user: 'ann',
    show,
    explain: (text) => explained.push(text),
    pasted: pasted(),
    signal: new AbortController().signal,
    ...more,
  })
  const type = (line: string): void => {
    typed.push(line)
    wake()
  }
  return { url, redirectUri: () => redirectUri, explained, type, done }
}

describe('a login by a person', () => {
  it('takes the answer from the browser, and not one with another state or at another path', async () => {
    const attempt = begin()
    await attempt.url
    const callback = attempt.redirectUri()
    assert.match(callback, /^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    assert.match(await (await fetch(`${callback}?code=evil&state=other`)).text(), /not the answer/)
    assert.equal((await fetch(callback.replace('callback', 'favicon.ico'))).status, 404)
    assert.equal((await fetch(callback.replace('callback', '/'))).status, 404)
    assert.match(await (await fetch(`${callback}?code=c1&state=s1`)).text(), /^Logged in/)
    assert.equal((await attempt.done).accessToken, 'c1')
    await assert.rejects(fetch(callback))
  })

  it('takes the answer that is pasted, and explains what is wrong with others', async () => {
    const attempt = begin()
    await attempt.url
    attempt.type('')
    attempt.type('hello')
    attempt.type('http://127.0.0.1:1/callback?code=c&state=other')
    attempt.type('http://127.0.0.1:1/callback?code=c2&state=s1')
    assert.equal((await attempt.done).accessToken, 'c2')
    assert.equal(attempt.explained.length, 2)
    assert.match(attempt.explained[0] ?? '', /whole address/)
    assert.match(attempt.explained[1] ?? '', /not the answer/)
  })

  it('is no login without a refresh token', async () => {
    const attempt = begin({}, null)
    const rejected = assert.rejects(attempt.done, { code: 'OAUTH_LOGIN_FAILED', message: /no refresh token/ })
    await attempt.url
    const answer = await fetch(`${attempt.redirectUri()}?code=c1&state=s1`)
    assert.equal(answer.status, 400)
    await rejected
  })

  it('ends when it is told to, and where its port is taken', async () => {
    const abort = new AbortController()
    const attempt = begin({ signal: abort.signal })
    await attempt.url
    abort.abort()
    await assert.rejects(attempt.done, { code: 'STOPPED' })
    const other = begin()
    await other.url
    await assert.rejects(begin({ redirectUri: other.redirectUri() }).done, { code: 'ENVIRONMENT_UNSUITABLE' })
    other.type('code=c&state=s1')
    await other.done
  })
})
