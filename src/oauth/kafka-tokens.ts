/** Access tokens for the brokers (`kafka.sasl.mechanism: oauthbearer`): one client, whose tokens all connections share. */
import type { OAuth2Config } from '../config/config.ts'
import { DaemonTokens } from './daemon-tokens.ts'
import { TokenClient } from './token-client.ts'

export const createKafkaTokens = (
  now: () => number,
  random: () => number,
): ((oauth2: OAuth2Config) => Promise<string>) => {
  const byClient = new Map<OAuth2Config, DaemonTokens>()
  return (oauth2) => {
    const known = byClient.get(oauth2)
    const tokens =
      known ?? new DaemonTokens({ client: new TokenClient(oauth2, { loginCommand: null, now }), now, random })
    byClient.set(oauth2, tokens)
    return tokens.get()
  }
}
