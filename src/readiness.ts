/** What a worker is still waiting for. Names are those of the configuration. */
export type Awaited =
  /** The process is starting: Kafka, its topics, the registry. */
  | { what: 'start' }
  /** The consumer group is being joined, or joined again in a rebalance, or its broker does not answer. */
  | { what: 'group'; group: string }
  /** An owned partition is being claimed, or its state is being read. */
  | { what: 'partition'; group: string; partition: number }
  /** A folder of an owned account has not been synced since this worker owns it. */
  | { what: 'folder'; account: string; folder: string }
  /** The process is stopping. */
  | { what: 'stop' }
