import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import {
  applyEntry,
  applyRemoval,
  applyUnreadable,
  loginProblem,
  noLogin,
  type LoginEntry,
  type LoginState,
  type StoredTokens,
} from '../../src/oauth/login-log.ts'

const tokens = (more: Partial<StoredTokens> = {}): LoginEntry => ({
  kind: 'tokens',
  grantId: 'g1',
  loggedInAt: 1,
  clientId: 'c',
  refreshedAt: 1,
  accessToken: 'a',
  expiresAt: 2,
  refreshToken: 'r',
  ...more,
})
const claim = (by: string, base: number, round: number): LoginEntry => ({ kind: 'claim', by, base, round })

/** Offsets are the places in the list. */
const read = (entries: readonly LoginEntry[]): LoginState =>
  entries.reduce((state, entry, offset) => applyEntry(state, entry, offset, 1_000 + offset), noLogin)

describe('the log of a login', () => {
  it('gives a round to the first who claims it, and the next round to whoever takes over', () => {
    const both = [tokens(), claim('a', 0, 1), claim('b', 0, 1)]
    assert.equal(read(both).claim?.by, 'a')
    assert.equal(read([...both, claim('b', 0, 2)]).claim?.by, 'b')
    assert.equal(read([...both, claim('b', 0, 2), claim('c', 0, 2)]).claim?.by, 'b')
  })

  it('knows no claim of tokens that are no longer the newest', () => {
    const state = read([tokens(), tokens({ accessToken: 'b' }), claim('a', 0, 1)])
    assert.equal(state.claim, null)
    assert.equal(read([tokens(), claim('a', 0, 1), tokens({ accessToken: 'b' })]).claim, null)
  })

  it('believes a revocation of the newest tokens only, until somebody logs in', () => {
    const revoked: LoginEntry = { kind: 'revoked', base: 0, reason: 'gone' }
    assert.equal(loginProblem(read([tokens(), revoked]), 'c'), 'gone')
    assert.equal(loginProblem(read([tokens(), tokens({ accessToken: 'b' }), revoked]), 'c'), null)
    assert.equal(loginProblem(read([tokens(), revoked, tokens({ grantId: 'g2', loggedInAt: 2 })]), 'c'), null)
    assert.equal(read([tokens(), revoked, claim('a', 0, 1)]).claim, null)
  })

  it('keeps the newest login when a refresh of an older one comes late', () => {
    const late = [
      tokens(),
      tokens({ grantId: 'g2', loggedInAt: 2, accessToken: 'new' }),
      tokens({ accessToken: 'late' }),
    ]
    assert.equal(read(late).tokens?.accessToken, 'new')
  })

  it('says why a person must log in', () => {
    assert.match(loginProblem(noLogin, 'c') ?? '', /nobody has logged in/)
    assert.match(loginProblem(read([tokens()]), 'other') ?? '', /another clientId/)
    assert.match(loginProblem(applyUnreadable(), 'c') ?? '', /encrypted with a key/)
    assert.match(loginProblem(applyRemoval(read([tokens()]), 'g1'), 'c') ?? '', /nobody has logged in/)
    assert.equal(loginProblem(applyRemoval(read([tokens()]), 'g0'), 'c'), null)
  })

  it('never lets two workers hold the claim of the same tokens in one round, whatever the order', () => {
    const entry = fc.oneof(
      fc.constant(tokens()),
      fc
        .record({ by: fc.constantFrom('a', 'b', 'c'), base: fc.nat(12), round: fc.integer({ min: 1, max: 3 }) })
        .map(({ by, base, round }) => claim(by, base, round)),
    )
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
        const holders = new Map<string, string>()
        let state = noLogin
        for (const [offset, one] of entries.entries()) {
          state = applyEntry(state, one, offset, 0)
          if (state.claim === null || state.tokens === null) continue
          const place = `${state.tokens.base}/${state.round}`
          assert.equal(holders.get(place) ?? state.claim.by, state.claim.by)
          holders.set(place, state.claim.by)
        }
      }),
    )
  })
})
