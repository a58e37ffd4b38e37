import type { AccountConfig, Config } from '../config/config.ts'
import { planTopics } from '../kafka/topic-plan.ts'
import { checkImap, type CheckedMailbox } from './check-imap.ts'
import { checkKafka, type KafkaCheckPorts } from './check-kafka.ts'
import { checkRegistry, type RegistryCheckPorts } from './check-registry.ts'
import type { Check } from './check-result.ts'
import { checkSmtp, type VerifiedSmtp } from './check-smtp.ts'
import { checkStorage, type StorageCheckPorts } from './check-storage.ts'

/** What the checks do beyond names, connections and certificates, which they try by themselves. */
export interface CheckPorts {
  kafka: KafkaCheckPorts
  registry: RegistryCheckPorts
  storage: StorageCheckPorts
  /** Logs in to the account's SMTP server and leaves. @throws PosthornError */
  verifySmtp: (account: AccountConfig, signal: AbortSignal) => Promise<VerifiedSmtp>
  /** Logs in to the account's IMAP server. @throws PosthornError */
  connectMailbox: (account: AccountConfig) => Promise<CheckedMailbox>
  /** Milliseconds since the epoch. */
  now: () => number
}

/** @param accounts those whose servers are checked */
export const planChecks = (config: Config, accounts: readonly AccountConfig[], ports: CheckPorts): Check[] => {
  const { kafka, storage } = config
  const { encoding, registry } = config.avro
  const { now } = ports
  return [
    checkKafka(kafka, planTopics(config), ports.kafka, now),
    ...(registry === null ? [] : [checkRegistry({ registry, encoding, topics: kafka.topics }, ports.registry, now)]),
    ...(storage === null ? [] : [checkStorage(storage, ports.storage, now)]),
    ...accounts.flatMap((account) => {
      const { name, smtp, imap } = account
      const verify = (signal: AbortSignal): Promise<VerifiedSmtp> => ports.verifySmtp(account, signal)
      const connect = (): Promise<CheckedMailbox> => ports.connectMailbox(account)
      return [
        ...(smtp === null ? [] : [checkSmtp(name, smtp, { verify, now })]),
        ...(imap === null ? [] : [checkImap(account, imap, { connect, now })]),
      ]
    }),
  ]
}
