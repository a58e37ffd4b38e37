import type { PosthornError } from '../errors.ts'
import type { Awaited } from '../readiness.ts'
import type { Ledger, Positions } from './partition-ledger.ts'
import type { ConsumedRecord } from './records.ts'

/** The flow of one partition. Written by the flow, driven by the group member. */
export interface PartitionOwner {
  /** What a partition that runs still has to do before the worker counts as ready; null: it has only just begun. */
  readonly awaited: readonly Awaited[] | null
  /** A record of the state topic, oldest first; may be called again from the beginning. Never for a claim marker. */
  replay(record: ConsumedRecord): void
  /** The state is complete and this owner is the only one: start to work. */
  begin(positions: Positions): void
  /** Records of an input topic in offset order; takes them over without blocking. May repeat what it had. */
  accept(records: readonly ConsumedRecord[]): void
  /** Take nothing new, settle what is in flight as far as `signal` allows. Called before each rebalance and stop. */
  drain(signal: AbortSignal): Promise<void>
  /** The rebalance is over and the partition stays. */
  resume(): void
  /** The partition is lost or the process stops: let go of every resource. Called once, also without `begin`. */
  release(): Promise<void>
}

/** What an owner is given. */
export interface PartitionContext {
  partition: number
  ledger: Ledger
  /** Backpressure: stop and restart the intake of one input topic. */
  pause(topic: string): void
  resume(topic: string): void
  /** The ledger said `KAFKA_FENCED`, or the owner can't go on: leave the group and join it anew. */
  rejoin(reason: PosthornError): void
  /** False when no heartbeat has been answered for a session timeout: another worker may own the partition by now. */
  isLeaseFresh(): boolean
}

export type CreateOwner = (context: PartitionContext) => PartitionOwner
