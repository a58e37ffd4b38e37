import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noLogin } from '../../src/oauth/login-log.ts'
import { LoginTokens } from '../../src/oauth/login-tokens.ts'

const start = () => {
  const told: string[] = []
  const tokens = new LoginTokens({
    login: { account: 'a', owner: 'o' },
    clientId: 'c',
    client: { refresh: () => assert.fail() },
    topic: {
      ready: async () => undefined,
      stateOf: () => noLogin,
      append: () => assert.fail(),
      onChange: () => () => undefined,
    },
    loginCommand: 'posthorn oauth login a',
    onPaused: () => told.push('paused'),
    onResumed: () => told.push('resumed'),
    now: Date.now,
    random: () => 0.5,
  })
  return { tokens, told }
}

test('a login that is configured no longer is not waited for any more, and stays silent', async () => {
  const { tokens, told } = start()
  await assert.rejects(tokens.get(), { code: 'OAUTH_LOGIN_REQUIRED' })
  assert.deepEqual(told, ['paused'])
  await tokens.replaced()
  assert.deepEqual(told, ['paused', 'resumed'])
  await assert.rejects(tokens.get(), { code: 'OAUTH_LOGIN_REQUIRED' })
  assert.deepEqual(told, ['paused', 'resumed'], 'whoever is still at work for it is refused all the same')
})

test('a login that is still waited for when the process stops is not told as one that came', async () => {
  const { tokens, told } = start()
  await assert.rejects(tokens.get(), { code: 'OAUTH_LOGIN_REQUIRED' })
  await tokens.close()
  assert.deepEqual(told, ['paused'])
})
