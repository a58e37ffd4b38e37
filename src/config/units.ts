/** Durations, sizes, rates and dates as the configuration writes them. Pure; the schema has checked the shape before. */

export const durationPattern = /^(\d{1,12})(ms|s|m|h|d)$/
export const sizePattern = /^(\d{1,12})(B|KB|MB|GB)$/
export const ratePattern = /^(\d{1,9})\/(\d{1,12}(?:ms|s|m|h|d))$/
export const datePattern = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Powers of 1024, as mail servers and Kafka count. */
const unitBytes: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }

const scaled = (text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number => {
  const [, count = '', unit = ''] = pattern.exec(text) ?? []
  return count === '' ? Number.NaN : Number(count) * (units[unit] ?? Number.NaN)
}

/** `<int>ms|s|m|h|d` → milliseconds; NaN where it is no duration. */
export const parseDurationMs = (text: string): number => scaled(text, durationPattern, unitMs)

/** `<int>B|KB|MB|GB` → bytes, 1 KB = 1024 B; NaN where it is no size. */
export const parseSizeBytes = (text: string): number => scaled(text, sizePattern, unitBytes)

/** `<count>/<duration>`: at most `count` in any such time; NaNs where it is no rate. */
export const parseRate = (text: string): { count: number; perMs: number } => {
  const [, count = '', duration = ''] = ratePattern.exec(text) ?? []
  return { count: count === '' ? Number.NaN : Number(count), perMs: parseDurationMs(duration) }
}

/**
 * `YYYY-MM-DD` (00:00 UTC) or an RFC 3339 date-time with its offset → milliseconds since the epoch; NaN where it is
 * neither, or names a day or an hour that does not exist (`Date` alone would roll 30 February over into March).
 */
export const parseDateMs = (text: string): number => {
  const [, day = '', time = 'T00:00Z'] = datePattern.exec(text) ?? []
  const midnight = Date.parse(`${day}T00:00Z`)
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return Number.NaN
  return Date.parse(`${day}${time}`)
}
