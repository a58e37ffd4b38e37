/** Option values to what they mean (pure). Each parser throws what commander reports as wrong usage. */
import { InvalidArgumentError } from 'commander'
import { parseDateMs, parseDurationMs, parseSizeBytes } from '../config/units.ts'

const demand = (value: number, rule: string): number => {
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError(rule)
  return value
}

export const parseCount = (text: string): number =>
  demand(/^[1-9]\d{0,14}$/.test(text) ? Number(text) : Number.NaN, 'It must be a whole number from 1.')

/** Milliseconds. */
export const parseDuration = (text: string): number =>
  demand(parseDurationMs(text), 'It must be a number with its unit: 500ms, 30s, 5m, 1h or 2d.')

/** Bytes. */
export const parseSize = (text: string): number =>
  demand(parseSizeBytes(text), 'It must be a number with its unit: 100B, 64KB, 5MB or 1GB.')

/** Milliseconds since the epoch. */
export const parseTime = (text: string): number =>
  demand(parseDateMs(text), 'It must be a date (2026-01-31, 00:00 UTC) or a time with its offset (2026-01-31T08:00Z).')

/** For options that may be repeated. */
export const collect = (text: string, earlier: readonly string[] | undefined): string[] => [...(earlier ?? []), text]

/** A Message-ID with its angle brackets, which a shell makes awkward to write. */
export const parseMessageId = (text: string): string => (text.startsWith('<') ? text : `<${text}>`)

export const collectMessageIds = (text: string, earlier: readonly string[] | undefined): string[] =>
  collect(parseMessageId(text), earlier)

const mostUids = 100_000

/** `1,5:9` → 1, 5, 6, 7, 8, 9: an IMAP sequence set (RFC 9051 9) without `*`. */
export const parseUids = (text: string): number[] => {
  const rule = 'It must be UIDs and ranges of them, such as 1,5:9.'
  const uids = new Set<number>()
  for (const part of text.split(',')) {
    const [, first = '', last = first] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(part.trim()) ?? []
    const [low, high] = [Number(first), Number(last)].sort((a, b) => a - b)
    if (first === '' || low === undefined || high === undefined || low < 1) throw new InvalidArgumentError(rule)
    if (high - low >= mostUids || uids.size >= mostUids) {
      throw new InvalidArgumentError(`It names more than ${mostUids} UIDs; use --all or a filter.`)
    }
    for (let uid = low; uid <= high; uid += 1) uids.add(uid)
  }
  return [...uids]
}

/** `Name: value` or `name=value`, split at the first separator. */
export const parsePair =
  (separator: ':' | '=') =>
  (text: string, earlier: Readonly<Record<string, string>> | undefined): Record<string, string> => {
    const at = text.indexOf(separator)
    const name = text.slice(0, Math.max(0, at)).trim()
    if (name === '') {
      throw new InvalidArgumentError(`It must be a name and a value, joined by "${separator}".`)
    }
    return { ...earlier, [name]: text.slice(at + 1).trim() }
  }
