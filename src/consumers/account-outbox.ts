/** The sending side of one account: its rules, its composer, its connections. */
import type { SendRequest } from '../avro/records.ts'
import type { AccountConfig, Config, SmtpConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { AttachmentStore } from '../mail/attachment-store.ts'
import type { AccountConnections } from '../mail/account-connections.ts'
import { composeMessage, type ComposeDependencies } from '../mail/compose/compose-message.ts'
import { messageIdOf, requireValid, type SendingRules } from '../mail/compose/validate-request.ts'
import { SmtpSender } from '../mail/smtp-sender.ts'
import type { Outbox, PreparedMail } from './send-mail.ts'

export interface OutboxDependencies {
  config: Pick<Config, 'limits' | 'storage'>
  /** Null: requests can't refer to objects. */
  store: AttachmentStore | null
  connections: AccountConnections
  emit: Emit
  now: () => number
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number
  randomToken: () => string
}

export class AccountOutbox implements Outbox {
  readonly #rules: SendingRules
  readonly #compose: ComposeDependencies
  readonly #sender: SmtpSender

  constructor(account: AccountConfig, smtp: SmtpConfig, deps: OutboxDependencies) {
    const { config, store, connections, emit, now, random, randomToken } = deps
    this.#rules = {
      from: smtp.from,
      allowedFrom: smtp.allowedFrom,
      maxMessageBytes: config.limits.maxMessageBytes,
      readableBuckets: config.storage?.readableBuckets ?? null,
    }
    this.#compose = {
      now,
      randomToken,
      dkim: smtp.dkim,
      openObject: async (object) => (await requireStore(store)).open(object),
    }
    this.#sender = new SmtpSender(smtp, {
      now,
      random,
      accessTokens: connections.accessTokens(account, smtp.auth),
      onTrouble: ({ code, message, action }, retryInMs) =>
        emit({ type: 'SmtpTrouble', account: account.name, code, message, action, retryInMs }),
    })
  }

  messageIdOf(request: SendRequest): string {
    return messageIdOf(request, this.#rules)
  }

  async prepare(request: SendRequest, except: ReadonlySet<string>): Promise<PreparedMail> {
    const message = await composeMessage(requireValid(request, this.#rules), this.#compose, except)
    return { deliver: () => this.#sender.send(message) }
  }

  close(graceMs: number): Promise<void> {
    return this.#sender.close({ graceMs })
  }
}

const requireStore = async (store: AttachmentStore | null): Promise<AttachmentStore> => {
  if (store !== null) return store
  throw new PosthornError(
    'REQUEST_OBJECT_UNREADABLE',
    'the request refers to an object, but no storage is configured',
    {
      stage: 'compose',
      action: 'Configure storage, or put the content into the request.',
    },
  )
}
