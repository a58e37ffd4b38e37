/**
 * Keeps what a partition has taken, and not yet handed on, within bounds (pure): says which of its topics should flow.
 * A topic stops at its limit and goes on at half of it.
 */
export interface IntakeOptions {
  topics: readonly string[]
  /** What the lanes and the commits have room for, from 0 (empty) to 1 and more (full), for a topic. */
  fullness: (topic: string) => number
  pause: (topic: string) => void
  resume: (topic: string) => void
}

export const intakeLimits = { records: 256, bytes: 8 * 1_048_576 }

interface Held {
  records: number
  bytes: number
  isPaused: boolean
}

export class Intake {
  readonly #options: IntakeOptions
  readonly #held: Map<string, Held>

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#held = new Map(options.topics.map((topic) => [topic, { records: 0, bytes: 0, isPaused: false }]))
  }

  /** @param sign 1: it was taken; -1: it has gone on */
  count(topic: string, bytes: number, sign: 1 | -1): void {
    const held = this.#held.get(topic)
    if (held === undefined) return
    held.records += sign
    held.bytes += sign * bytes
    this.#balance(topic, held)
  }

  /** After something else has changed. */
  balance(): void {
    for (const [topic, held] of this.#held) this.#balance(topic, held)
  }

  #balance(topic: string, held: Held): void {
    const { records, bytes } = intakeLimits
    const fullness = Math.max(held.records / records, held.bytes / bytes, this.#options.fullness(topic))
    if (!held.isPaused && fullness >= 1) {
      held.isPaused = true
      this.#options.pause(topic)
    } else if (held.isPaused && fullness < 0.5) {
      held.isPaused = false
      this.#options.resume(topic)
    }
  }
}
