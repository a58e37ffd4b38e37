/**
 * Where a command answers `false`, the reason went to the library's log. Several commands may be under way, a fetch ahead
 * of its time among them, so each reason is kept for the command that it belongs to, and given once; what is wrong with the
 * connection is wrong with every command.
 */
export class Faults {
  readonly #byVerb = new Map<string, unknown>()
  #ofConnection: unknown = null

  /** For imapflow: keeps the reasons and says nothing. */
  get logger() {
    const ignore = () => undefined
    const warn = ({ err }: { err?: unknown }): void => {
      const verb = verbOf(err)
      if (verb !== null) this.#byVerb.set(verb, err)
      else this.#ofConnection = err ?? this.#ofConnection
    }
    return { warn, error: ignore, debug: ignore, info: ignore, isLevelEnabled: (level: string) => level === 'warn' }
  }

  /** @returns why one of these commands was refused; null: nothing was said */
  take(verbs: readonly string[]): unknown {
    for (const verb of verbs) {
      const fault = this.#byVerb.get(verb)
      if (this.#byVerb.delete(verb)) return fault
    }
    return this.#ofConnection
  }
}

/** `A7 UID STORE 1:3 …` is a STORE. */
const verbOf = (error: unknown): string | null => {
  if (!(error instanceof Error) || !('executedCommand' in error)) return null
  return /^\S+ (?:UID )?([A-Z]+)/.exec(String(error.executedCommand))?.[1] ?? null
}
