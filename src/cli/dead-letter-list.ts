/** The dead letters with what has become of them. */
import { OffsetTracker, type Committable } from '../kafka/offset-tracker.ts'
import type { HandledOffsets } from '../kafka/handled-offsets.ts'
import type { ConsumedRecord } from '../kafka/records.ts'

export interface DeadLetter {
  record: ConsumedRecord
  /** `partition/offset`, how a person names it. */
  place: string
  /** Neither replayed nor discarded. */
  isOpen: boolean
}

export class DeadLetterList {
  readonly #handled: HandledOffsets
  readonly #trackers = new Map<number, OffsetTracker>()

  constructor(handled: HandledOffsets) {
    this.#handled = handled
  }

  /** All of them, oldest first within a partition. */
  async *read(records: AsyncIterable<ConsumedRecord>): AsyncIterable<DeadLetter> {
    const positions = await this.#handled.read()
    const start: Committable = { offset: 0, settled: [] }
    for await (const record of records) {
      const { partition, offset } = record
      const tracker = this.#trackers.get(partition) ?? new OffsetTracker(positions.get(partition) ?? start)
      this.#trackers.set(partition, tracker)
      yield { record, place: `${partition}/${offset}`, isOpen: tracker.accept(offset) }
    }
  }

  /** Remembers that an open one, already read, has been dealt with; in the same transaction publishes what comes of it. */
  async settle(
    { record: { partition, offset } }: DeadLetter,
    replay: Parameters<HandledOffsets['commit']>[1],
  ): Promise<void> {
    const tracker = this.#trackers.get(partition)
    if (tracker === undefined) throw new Error('it was not read')
    await this.#handled.commit(new Map([[partition, tracker.committable(new Set([offset]))]]), replay)
    tracker.settle(offset)
  }
}
