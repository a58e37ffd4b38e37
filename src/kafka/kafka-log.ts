import { logLevel, type logCreator } from 'kafkajs'

/** Where the Kafka client's own lines go. They are for whoever debugs: what matters comes back as an error. */
export type KafkaLog = (level: 'error' | 'warn', text: string) => void

/** Passes the message on without kafkajs's extra fields, which hold stacks and whole request payloads. */
export const bridgeKafkaLog =
  (log: KafkaLog): logCreator =>
  () =>
  ({ namespace, level, log: { message } }) =>
    log(level === logLevel.ERROR ? 'error' : 'warn', `${namespace}: ${message}`)
