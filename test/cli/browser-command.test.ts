import assert from 'node:assert/strict'
import { it } from 'node:test'
import { browserCommand } from '../../src/cli/browser-command.ts'

it('a browser is opened where one can be seen, and never over SSH unless it is named', () => {
  assert.deepEqual(browserCommand('linux', { DISPLAY: ':0' }), ['xdg-open'])
  assert.deepEqual(browserCommand('darwin', {}), ['open'])
  assert.equal(browserCommand('linux', {}), null)
  assert.equal(browserCommand('darwin', { SSH_CONNECTION: '1 2 3 4' }), null)
  assert.deepEqual(browserCommand('linux', { SSH_CONNECTION: '1', BROWSER: 'lynx' }), ['lynx'])
})
