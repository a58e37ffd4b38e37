/** Composing in tests: a fixed clock, countable tokens, no store. */
import { buffer } from 'node:stream/consumers'

import type { SendRequest } from '../../src/avro/records.ts'
import {
  composeMessage,
  type ComposeDependencies,
  type ComposedMessage,
} from '../../src/mail/compose/compose-message.ts'
import { requireValid } from '../../src/mail/compose/validate-request.ts'
import { sendingRules, sendRequest } from './send-request.ts'

export const now = Date.UTC(2026, 10, 24, 3, 4, 5)

const dependencies = (more: Partial<ComposeDependencies> = {}): ComposeDependencies => {
  let tokens = 0
  return {
    now: () => now,
    randomToken: () => `${'0'.repeat(30)}${String(++tokens).padStart(2, '0')}`,
    openObject: () => Promise.reject(new Error('no object is expected')),
    dkim: null,
    ...more,
  }
}

export const compose = (
  request: Partial<SendRequest>,
  deps: Partial<ComposeDependencies> = {},
  except?: ReadonlySet<string>,
): Promise<ComposedMessage> =>
  composeMessage(requireValid(sendRequest(request), sendingRules({ maxMessageBytes: 1e9 })), dependencies(deps), except)

export const bytesOf = async ({ content }: ComposedMessage): Promise<Buffer> => {
  const whole = content()
  return Buffer.isBuffer(whole) ? whole : buffer(whole)
}
