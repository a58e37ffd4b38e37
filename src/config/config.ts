/**
 * The compiled configuration: what the rest of Posthorn reads. Frozen to the bottom, durations in milliseconds, sizes
 * in bytes, file-valued options replaced by the files' text, every default filled in. `compile-config.ts` makes it.
 */

import type { MessageSelector } from '../mail/match-message.ts'
import type { Secret } from './secret.ts'

export interface Config {
  /** The file that this was read from, for messages. */
  readonly fileName: string
  readonly kafka: KafkaConfig
  readonly avro: AvroConfig
  /** Never null when an account receives. */
  readonly storage: StorageConfig | null
  readonly send: SendConfig
  readonly limits: LimitsConfig
  /** Null: no HTTP listener. */
  readonly http: HttpConfig | null
  readonly oauth: OAuthStoreConfig
  /** By name. Has no prototype, so that any name can be looked up. */
  readonly accounts: Readonly<Record<string, AccountConfig>>
}

/** Client side of TLS. Certificates are always verified, against the public roots or `ca` alone. */
export interface TlsConfig {
  /** PEM. Null: the public roots. */
  readonly ca: string | null
  /** Client certificate chain, PEM; null with `key`. */
  readonly certificate: string | null
  /** Private key of `certificate`, PEM. */
  readonly key: Secret | null
  /** Expected name of the server and SNI, where it is not `host`. */
  readonly serverName: string | null
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

export interface KafkaConfig {
  /** `host:port`. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Null: plaintext. */
  readonly tls: TlsConfig | null
  readonly sasl: KafkaSaslConfig | null
  /** Prefix of the consumer groups and transactional ids. */
  readonly group: string
  /** Silence after which the group gives a worker up. */
  readonly sessionTimeoutMs: number
  /** Of the record batches that are written; all are read. */
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  readonly topics: TopicsConfig
}

export type KafkaSaslConfig =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: Secret
    }
  /** `client_credentials` only. */
  | { readonly mechanism: 'oauthbearer'; readonly oauth2: OAuth2Config }

export interface TopicsConfig {
  readonly sendRequests: string
  /** Prefix: the topics are `send.retry.tiers[].topic`. */
  readonly sendRetries: string
  readonly sendResults: string
  readonly inbound: string
  readonly commands: string
  readonly commandResults: string
  readonly deadLetters: string
  readonly checkpoints: string
  /** Compacted; encrypted refresh tokens. */
  readonly oauthTokens: string
  /** Of topics that Posthorn creates. */
  readonly partitions: number
  /** Replicas of topics that Posthorn creates. Null: the broker's default. */
  readonly replication: number | null
}

export interface AvroConfig {
  /** What is written; both are read. */
  readonly encoding: 'single-object' | 'confluent'
  /** Never null with `confluent`. */
  readonly registry: RegistryConfig | null
}

export interface RegistryConfig {
  /** Without a trailing slash. */
  readonly url: string
  readonly username: string | null
  readonly password: Secret | null
  readonly tls: TlsConfig
}

export interface StorageConfig {
  /** Null: the S3 endpoint of `region`. */
  readonly endpoint: string | null
  readonly region: string
  readonly bucket: string
  /** Without slashes at the ends; may be empty. */
  readonly prefix: string
  readonly pathStyle: boolean
  /** Both null: the SDK's own chain (environment, instance role). */
  readonly accessKeyId: string | null
  readonly secretAccessKey: Secret | null
  readonly sessionToken: Secret | null
  /** Buckets from which a request's attachments may be read. */
  readonly readableBuckets: readonly string[]
  /** Most sockets at once. */
  readonly connections: number
  readonly tls: TlsConfig
}

export interface SendConfig {
  /** Most deliveries of an account under way at once in this process, until their results are committed. */
  readonly concurrency: number
  readonly retry: RetryConfig
  /** How long a request id is remembered. */
  readonly dedupeWindowMs: number
  /** Most request ids remembered, in all partitions together; the oldest go first. */
  readonly dedupeMaxIds: number
}

export interface RetryConfig {
  /** Ascending. Tier n follows attempt n, the last repeats. */
  readonly tiers: readonly RetryTier[]
  readonly maxAgeMs: number
}

export interface RetryTier {
  /** As written: `10m`. */
  readonly label: string
  readonly delayMs: number
  /** `<topics.sendRetries>.<label>`. */
  readonly topic: string
}

export interface LimitsConfig {
  readonly maxMessageBytes: number
  /** A larger text or HTML body goes to the object store. */
  readonly maxInlineBodyBytes: number
  readonly maxParts: number
}

export interface HttpConfig {
  readonly host: string
  readonly port: number
  /** Never null when `host` is not a loopback address. */
  readonly token: Secret | null
}

export interface OAuthStoreConfig {
  /** 32 bytes as base64 (AES-256-GCM). Null: refresh tokens can't be stored, `oauth login` refuses. */
  readonly encryptionKey: Secret | null
  /** Keys that stored tokens may still be encrypted with. */
  readonly previousKeys: readonly Secret[]
}

/** At least one of `smtp` and `imap` is there. */
export interface AccountConfig {
  readonly name: string
  readonly smtp: SmtpConfig | null
  readonly imap: ImapConfig | null
  /** One for each folder; empty: nothing is received. Never filled without `imap`. */
  readonly receive: readonly ReceiveRule[]
  /** Null: SPECIAL-USE `\Archive`. */
  readonly archiveFolder: string | null
  /** Null: SPECIAL-USE `\Sent`. */
  readonly sentFolder: string | null
}

/** `starttls` is required where it is configured, `tls` begins with the handshake. */
export type Security = 'none' | 'starttls' | 'tls'

export interface ServerConfig {
  readonly host: string
  readonly port: number
  readonly security: Security
  readonly tls: TlsConfig
  /** Null: no login. */
  readonly auth: AuthConfig | null
  /** True: a login over `security: none` is allowed. */
  readonly allowPlaintextAuth: boolean
  readonly connectTimeoutMs: number
}

export interface SmtpConfig extends ServerConfig {
  /** The default From as written, perhaps with a display name. Null: each request must name its own. */
  readonly from: string | null
  /** Case-insensitive globs over bare addresses, see `matchesGlob`. Never empty. */
  readonly allowedFrom: readonly string[]
  /** Most connections at once. */
  readonly connections: number
  /** Null: as many as the server allows. */
  readonly messagesPerConnection: number | null
  readonly rate: RateConfig | null
  readonly dkim: DkimConfig | null
}

export interface RateConfig {
  readonly count: number
  readonly perMs: number
}

export interface DkimConfig {
  readonly domain: string
  readonly selector: string
  /** PEM. */
  readonly privateKey: Secret
}

export interface ImapConfig extends ServerConfig {
  /** Most connections of one account at once. */
  readonly connections: number
  /** Longest silence on an idle connection before an IMAP exchange must prove that it lives. */
  readonly probeIntervalMs: number
  /** Longest wait for the server's next bytes while a command runs; also the probe's. */
  readonly commandTimeoutMs: number
}

export type AuthConfig =
  | { readonly method: 'password'; readonly user: string; readonly password: Secret }
  | { readonly method: 'oauth2'; readonly user: string; readonly oauth2: OAuth2Config }

export type OAuth2Grant = 'authorization_code' | 'client_credentials' | 'jwt_bearer'

export interface OAuth2Config {
  /** Where it was written; the other direction may share it (`same-as-smtp`), and then shares its tokens. */
  readonly owner: 'smtp' | 'imap' | 'kafka'
  readonly provider: 'google' | 'microsoft' | 'custom'
  readonly grant: OAuth2Grant
  readonly clientId: string
  /** Null: a public client. */
  readonly clientSecret: Secret | null
  readonly clientAuthentication: 'client_secret_basic' | 'client_secret_post' | 'none'
  readonly scopes: readonly string[]
  /** Never null with `authorization_code`. */
  readonly authorizationUrl: string | null
  readonly tokenUrl: string
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly tokenParameters: Readonly<Record<string, Secret>>
  /** Loopback URI of the callback. Null: `http://127.0.0.1:<free port>/callback`. */
  readonly redirectUri: string | null
  /** Never null with `jwt_bearer` (RFC 7523). */
  readonly jwt: JwtBearerConfig | null
  /** SASL mechanism. Null: what the server offers. */
  readonly mechanism: 'xoauth2' | 'oauthbearer' | null
  readonly tls: TlsConfig
}

export interface JwtBearerConfig {
  readonly issuer: string
  readonly subject: string
  readonly audience: string
  /** PEM. */
  readonly privateKey: Secret
  readonly keyId: string | null
  readonly algorithm: 'RS256' | 'ES256'
}

export interface ReceiveRule {
  readonly folder: string
  /** Where a folder without a checkpoint begins; governs only what is there at first sight. */
  readonly start: StartConfig
  /** What is left out is left untouched. */
  readonly select: MessageSelector
  readonly after: AfterReadConfig
  readonly idle: boolean
  readonly pollMs: number
  readonly keepRaw: boolean
  readonly uidValidityChanged: 'reseed' | 'replay' | 'reconcile'
}

export type StartConfig =
  | { readonly at: 'earliest' | 'latest' | 'unread' }
  /** Inclusive, on INTERNALDATE. */
  | { readonly at: 'date'; readonly sinceMs: number }

export type AfterReadConfig =
  | { readonly action: 'none' | 'seen' | 'delete' }
  | { readonly action: 'move'; readonly folder: string }
