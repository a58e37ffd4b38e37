/** What a server offers in its answer to EHLO (RFC 5321 4.1.1.1) (pure). */
export interface SmtpExtensions {
  /** RFC 2920. */
  pipelining: boolean
  /** RFC 6152. */
  eightBitMime: boolean
  /** RFC 6531. */
  smtpUtf8: boolean
  /** RFC 3461. */
  dsn: boolean
  /** RFC 1870: null: not offered; 0: no fixed limit. */
  size: number | null
  /** SASL mechanisms, upper case. */
  auth: readonly string[]
  /** Keywords as offered, upper case. */
  names: readonly string[]
}

/** @param lines of the answer to EHLO, without reply codes and without the greeting line */
export const readExtensions = (lines: readonly string[]): SmtpExtensions => {
  const parameters = new Map<string, string[]>()
  for (const line of lines) {
    // `AUTH=LOGIN` is how servers wrote it before RFC 2554.
    const [name = '', ...rest] = line
      .trim()
      .toUpperCase()
      .split(/[\s=]+/)
    if (name !== '') parameters.set(name, [...(parameters.get(name) ?? []), ...rest])
  }
  const size = parameters.get('SIZE')
  const limit = Number(size?.[0] ?? 0)
  return {
    pipelining: parameters.has('PIPELINING'),
    eightBitMime: parameters.has('8BITMIME'),
    smtpUtf8: parameters.has('SMTPUTF8'),
    dsn: parameters.has('DSN'),
    size: size === undefined ? null : Number.isSafeInteger(limit) && limit > 0 ? limit : 0,
    auth: [...new Set(parameters.get('AUTH'))],
    names: [...parameters.keys()],
  }
}
