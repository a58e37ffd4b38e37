/**
 * Dates (RFC 5322 3.3 and 4.3) and the forms that are seen instead of them, as long as they can mean only one
 * instant. What can't be read is null: a message is never given a date that it does not have.
 */
import { unfold } from './decode-words.ts'
import type { DefectLog } from './defects.ts'

const months = new Map(
  ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'].map((name, index) => [
    name,
    index,
  ]),
)

/** RFC 5322 4.3; every other name counts as -0000 there. Minutes east of UTC. */
const zones = new Map<string, number>([
  ['z', 0],
  ['ut', 0],
  ['utc', 0],
  ['gmt', 0],
  ['est', -300],
  ['edt', -240],
  ['cst', -360],
  ['cdt', -300],
  ['mst', -420],
  ['mdt', -360],
  ['pst', -480],
  ['pdt', -420],
])

const stripComments = (text: string): string => {
  let result = ''
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string
    if (char === '\\' && depth > 0) at++
    else if (char === '(') depth++
    else if (char === ')') depth = Math.max(0, depth - 1)
    else if (depth === 0) result += char
    if (char === '(' && depth === 1) result += ' '
  }
  return result
}

interface Parts {
  year: string
  month: number
  day: string
  time: string
  meridiem: string
  zone: string
  usual: boolean
}

const time = String.raw`(\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d{1,9})?)?)[ ]*([ap]\.?m\.?)?`
const zone = String.raw`[ ]*((?:gmt|utc|ut)?[ ]?[+-][ ]?\d{1,2}:?\d{2}|[a-z]{1,5})?(?:[ ].*)?`
const weekday = String.raw`(?:[a-z]{2,10}\.?[ ]*,?[ ]*|,[ ]*)?`

/** Mon, 3 Jan 2022 10:00:00 +0100 */
const internet = new RegExp(`^${weekday}(0*\\d{1,2})[ -]*([a-z]{3,9})\\.?[ ,-]*(\\d{2,4})[ ,]+${time}${zone}$`)
/** Mon Jan 3 10:00:00 2022, with the zone before or after the year */
const asctime = new RegExp(
  `^${weekday}([a-z]{3,9})\\.?[ ]+(\\d{1,2})[ ,]+${time}(?:[ ]+([a-z]{1,5}|[+-]\\d{4}))?[ ]+(\\d{4})(?:[ ]+([a-z]{1,5}|[+-]\\d{4}))?$`,
)
/** Jan 3, 2022 10:00:00 AM */
const american = new RegExp(`^${weekday}([a-z]{3,9})\\.?[ ]+(\\d{1,2})[ ,]+(\\d{4})[ ,]+${time}${zone}$`)
/** 2022-01-03T10:00:00+01:00 */
const iso = new RegExp(`^${weekday}(\\d{4})([-/])(\\d{1,2})\\2(\\d{1,2})[ t]+${time}${zone}$`)

const monthOf = (name: string | undefined): number => months.get((name ?? '').slice(0, 3)) ?? -1

const splitDate = (text: string): Parts | null => {
  let match = internet.exec(text)
  if (match !== null) {
    const [, day = '', month, year = '', clock = '', meridiem = '', zone = ''] = match
    return { year, month: monthOf(month), day, time: clock, meridiem, zone, usual: true }
  }
  match = asctime.exec(text)
  if (match !== null) {
    const [, month, day = '', clock = '', meridiem = '', before = '', year = '', after = ''] = match
    return { year, month: monthOf(month), day, time: clock, meridiem, zone: before || after, usual: false }
  }
  match = american.exec(text)
  if (match !== null) {
    const [, month, day = '', year = '', clock = '', meridiem = '', zone = ''] = match
    return { year, month: monthOf(month), day, time: clock, meridiem, zone, usual: false }
  }
  match = iso.exec(text)
  if (match === null) return null
  const [, year = '', , month = '', day = '', clock = '', meridiem = '', zone = ''] = match
  return { year, month: Number(month) - 1, day, time: clock, meridiem, zone, usual: false }
}

/** Minutes east of UTC; null for an impossible one, 'unknown' for a name that means nothing here. */
const offsetOf = (text: string): number | null | 'unknown' => {
  const numeric = /([+-]) ?(\d{1,2}):?(\d{2})$/.exec(text)
  if (numeric === null) return zones.get(text.trim()) ?? 'unknown'
  const hours = Number(numeric[2])
  const minutes = Number(numeric[3])
  if (minutes > 59) return null
  return (numeric[1] === '-' ? -1 : 1) * (hours * 60 + minutes)
}

/** RFC 5322 4.3: two digits are 1950 to 2049, three are counted from 1900. Zeros in front of two are seen. */
const yearOf = (digits: string): number => {
  const year = Number(digits)
  if (digits.length === 3) return 1900 + year
  if (year >= 100) return year
  return year < 50 ? 2000 + year : 1900 + year
}

const hourOf = (hour: number, meridiem: string): number => {
  if (meridiem === '') return hour
  if (hour < 1 || hour > 12) return NaN
  return (hour % 12) + (meridiem.startsWith('p') ? 12 : 0)
}

/** Milliseconds since the epoch; null where the field is absent or can't be read. */
export const parseDate = (raw: string | null, defects: DefectLog): number | null => {
  if (raw === null) return null
  const unreadable = (): null => {
    defects.add('date: unreadable; left empty')
    return null
  }
  const written = unfold(raw)
  if (written.length > 500) return unreadable()
  const parts = splitDate(
    stripComments(written)
      .replace(/[\s"]+/g, ' ')
      .trim()
      .toLowerCase(),
  )
  if (parts === null || parts.month < 0 || parts.month > 11) return unreadable()
  const [hours, minutes, seconds, fraction] = parts.time.split(/[:.,]/)
  const hour = hourOf(Number(hours), parts.meridiem)
  const minute = Number(minutes)
  const second = Number(seconds ?? '0')
  const offset = offsetOf(parts.zone)
  const day = Number(parts.day)
  const year = yearOf(parts.year)
  if (offset === null || !(hour <= 24) || minute > 59 || second > 60 || day < 1) return unreadable()
  if (hour === 24 && (minute > 0 || second > 0)) return unreadable()
  const date = new Date(0)
  date.setUTCFullYear(year, parts.month, day)
  if (date.getUTCMonth() !== parts.month) return unreadable()
  if (offset === 'unknown') defects.add('date: no time zone or an unknown one; read as UTC')
  if (!parts.usual || year !== Number(parts.year)) defects.add('date: obsolete or unusual form; read')
  const millis = Math.floor(Number(`0.${fraction ?? '0'}`) * 1000)
  date.setUTCHours(hour, minute - (offset === 'unknown' ? 0 : offset), second, millis)
  return date.getTime()
}
