import { Option } from 'commander'

/** Of the commands that need nothing but Kafka. */
export const brokersOption = (): Option =>
  new Option(
    '--brokers <list>',
    'host:port,… of Kafka; without --config no file is read and the names are the defaults',
  )

/** Also of the commands that print nothing else. */
export const jsonOption = (): Option => new Option('--json', 'print JSON for programs')
