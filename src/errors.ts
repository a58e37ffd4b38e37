/**
 * The one error family of Posthorn.
 *
 * A failure that Posthorn understands is a `PosthornError` with a code from the closed list below. Flows decide on
 * `code` and `retryable`, never on the text. The message is written for the person who reads the log: what failed,
 * where, what to do. It never holds a secret or mail content.
 */

/** Closed list. `docs/errors.md` explains each; a test keeps the two equal. */
export const errorCodes = [
  // configuration and environment: exit code 2
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'USAGE_INVALID',
  'ENVIRONMENT_UNSUITABLE',
  // TLS, with whatever server
  'TLS_UNTRUSTED',
  'TLS_EXPIRED',
  'TLS_WRONG_NAME',
  'TLS_VERSION_REFUSED',
  'TLS_CLIENT_REFUSED',
  'TLS_NOT_OFFERED',
  'TLS_FAILED',
  // Kafka
  'KAFKA_UNREACHABLE',
  'KAFKA_AUTHENTICATION_FAILED',
  'KAFKA_TOPIC_UNSUITABLE',
  'KAFKA_FENCED',
  'KAFKA_FAILED',
  // records and their schemas
  'RECORD_NULL',
  'RECORD_UNRECOGNIZED',
  'RECORD_SCHEMA_UNKNOWN',
  'RECORD_WRONG_TYPE',
  'RECORD_UNDECODABLE',
  'RECORD_INVALID',
  'RECORD_TOO_LARGE',
  'REGISTRY_UNREACHABLE',
  'REGISTRY_INCOMPATIBLE',
  // requests and commands
  'REQUEST_INVALID',
  'REQUEST_ACCOUNT_UNKNOWN',
  'REQUEST_SENDER_NOT_ALLOWED',
  'REQUEST_OBJECT_UNREADABLE',
  'REQUEST_EXPIRED',
  'COMMAND_INVALID',
  'COMMAND_ACCOUNT_UNKNOWN',
  // SMTP
  'SMTP_UNREACHABLE',
  'SMTP_AUTHENTICATION_FAILED',
  'SMTP_PROTOCOL_ERROR',
  'SMTP_TIMEOUT',
  'SMTP_CONNECTION_LOST',
  'SMTP_DEFERRED',
  'SMTP_REJECTED',
  'SMTP_MESSAGE_TOO_LARGE',
  'SMTP_OUTCOME_UNKNOWN',
  // IMAP
  'IMAP_UNREACHABLE',
  'IMAP_AUTHENTICATION_FAILED',
  'IMAP_TIMEOUT',
  'IMAP_CONNECTION_LOST',
  'IMAP_COMMAND_FAILED',
  'IMAP_FOLDER_MISSING',
  'IMAP_UIDVALIDITY_CHANGED',
  'IMAP_UNSAFE_MOVE',
  // OAuth 2.0
  'OAUTH_LOGIN_REQUIRED',
  'OAUTH_LOGIN_FAILED',
  'OAUTH_REFUSED',
  'OAUTH_UNREACHABLE',
  // messages
  'MESSAGE_UNPARSABLE',
  'MESSAGE_TOO_LARGE',
  // objects
  'STORAGE_UNREACHABLE',
  'STORAGE_ACCESS_DENIED',
  'STORAGE_OBJECT_MISSING',
  'STORAGE_OBJECT_CHANGED',
  'STORAGE_BUCKET_NOT_ALLOWED',
  'STORAGE_FAILED',
  // ourselves
  'STOPPED',
  'INTERNAL',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** Where in a flow the failure happened. */
export type Stage =
  | 'configure'
  | 'start'
  | 'decode'
  | 'validate'
  | 'compose'
  | 'connect'
  | 'tls'
  | 'authenticate'
  | 'envelope'
  | 'data'
  | 'reply'
  | 'select'
  | 'fetch'
  | 'parse'
  | 'store'
  | 'publish'
  | 'after-read'
  | 'command'
  | 'stop'

export interface PosthornErrorOptions {
  stage: Stage
  /** True when the same attempt may succeed later without anyone changing anything. */
  retryable?: boolean
  /** What the reader can do about it, one sentence. */
  action?: string
  /** What the server asked to be left alone for, in milliseconds. */
  retryAfterMs?: number
  cause?: unknown
}

export class PosthornError extends Error {
  override readonly name = 'PosthornError'
  readonly code: ErrorCode
  readonly stage: Stage
  readonly retryable: boolean
  readonly action: string | null
  readonly retryAfterMs: number | null

  constructor(code: ErrorCode, message: string, options: PosthornErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.stage = options.stage
    this.retryable = options.retryable ?? false
    this.action = options.action ?? null
    this.retryAfterMs = options.retryAfterMs ?? null
  }
}

export const isPosthornError = (error: unknown): error is PosthornError => error instanceof PosthornError

/** Makes any thrown value a `PosthornError`; one that Posthorn does not know becomes `INTERNAL` and is retryable. */
export const toPosthornError = (error: unknown, stage: Stage): PosthornError => {
  if (isPosthornError(error)) return error
  const text = error instanceof Error ? error.message : String(error)
  return new PosthornError('INTERNAL', text, { stage, retryable: true, cause: error })
}
