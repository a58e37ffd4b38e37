import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answerHttp, type HttpPages, type HttpQuestion } from '../../src/http/answer.ts'
import type { Awaited } from '../../src/readiness.ts'

const folder: Awaited = { what: 'folder', account: 'support', folder: 'INBOX' }

const ask = (url: string, question: Partial<HttpQuestion> = {}, pages: Partial<HttpPages> = {}) =>
  answerHttp(
    { method: 'GET', url, authorization: undefined, ...question },
    { token: null, awaited: () => [], metrics: () => 'metric 1\n', ...pages },
  )

describe('answerHttp', () => {
  it('says 200 when nothing is awaited and 503 with what is awaited otherwise', () => {
    const ready = ask('/readyz')
    assert.deepEqual([ready.status, JSON.parse(ready.body)], [200, { ready: true, awaited: [] }])
    const waiting = ask('/readyz?verbose', {}, { awaited: () => [folder] })
    assert.deepEqual([waiting.status, JSON.parse(waiting.body)], [503, { ready: false, awaited: [folder] }])
    assert.equal(ask('/healthz', {}, { awaited: () => [folder] }).status, 200)
  })

  it('names accounts, groups and metrics only to those who have the token', () => {
    const guarded = { token: 'secret', awaited: () => [folder] }
    for (const authorization of [undefined, 'Bearer', 'Bearer wrong', 'Bearer secret2', 'Basic secret', 'secret']) {
      assert.equal(ask('/healthz', { authorization }, guarded).status, 200)
      const { status, body } = ask('/readyz', { authorization }, guarded)
      assert.deepEqual([status, JSON.parse(body)], [503, { ready: false, awaited: [{ what: 'folder' }] }])
      const metrics = ask('/metrics', { authorization }, guarded)
      assert.equal(metrics.status, 401)
      assert.equal(metrics.headers?.['www-authenticate'], 'Bearer')
      assert.doesNotMatch(metrics.body, /metric 1|secret/)
    }
    for (const authorization of ['Bearer secret', 'bearer secret ']) {
      assert.equal(ask('/metrics', { authorization }, guarded).body, 'metric 1\n')
      assert.deepEqual(JSON.parse(ask('/readyz', { authorization }, guarded).body).awaited, [folder])
    }
  })

  it('refuses other pages and other methods', () => {
    for (const url of ['/', '/ready', '/readyz/', '//metrics', '', '*', '/__proto__']) {
      assert.equal(ask(url).status, 404, url)
    }
    const post = ask('/metrics', { method: 'POST' })
    assert.deepEqual([post.status, post.headers], [405, { allow: 'GET, HEAD' }])
    assert.equal(ask('/healthz', { method: 'HEAD' }).status, 200)
  })
})
