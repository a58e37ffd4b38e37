/** Where a command answers `false`, the reason went to the library's log. */
export interface Faults {
  last: unknown
}

/** A logger for imapflow that keeps the last warning and says nothing. */
export const listenTo = (faults: Faults) => {
  const ignore = () => undefined
  const warn = ({ err }: { err?: unknown }) => {
    faults.last = err ?? faults.last
  }
  return { warn, error: ignore, debug: ignore, info: ignore, isLevelEnabled: (level: string) => level === 'warn' }
}
