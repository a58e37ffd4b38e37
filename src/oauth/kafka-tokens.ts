/** The access token of `kafka.sasl.mechanism: oauthbearer`, which all clients of a process share. */
import type { OAuth2Config } from '../config/config.ts'
import { DaemonTokens, type DaemonTokensOptions } from './daemon-tokens.ts'
import { TokenClient } from './token-client.ts'

export const createKafkaTokens = (
  oauth2: OAuth2Config,
  { now, random }: Pick<DaemonTokensOptions, 'now' | 'random'>,
): DaemonTokens => new DaemonTokens({ client: new TokenClient(oauth2, { loginCommand: null, now }), now, random })
