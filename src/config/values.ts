/** The values that configuration keys take, as zod types: one rule and one sentence for each. Pure. */

import { isIP } from 'node:net'
import { z } from 'zod'

import {
  datePattern,
  durationPattern,
  parseDateMs,
  parseDurationMs,
  parseRate,
  parseSizeBytes,
  ratePattern,
  sizePattern,
} from './units.ts'

const control = /[\0-\x1f\x7f-\x9f]/
const day = 86_400_000

/** Node's timers can't wait longer than 2^31 - 1 ms. */
const longestTimer = 24 * day
const longestDuration = 3650 * day

const durationRule = 'must be a duration: an integer and ms, s, m, h or d, such as 30s'

const boundedDuration = (minMs: number, maxMs: number) =>
  z
    .string(durationRule)
    .regex(durationPattern, { error: durationRule, abort: true })
    .refine((text) => parseDurationMs(text) >= minMs && parseDurationMs(text) <= maxMs, {
      error: `must be from ${minMs}ms to ${maxMs / day}d`,
    })

/** Kept as text, for names that are made of it. */
export const durationLabel = boundedDuration(1, longestDuration).meta({ title: 'duration' })
export const duration = durationLabel.transform(parseDurationMs)
/** A time that a timer waits. */
export const timerDuration = boundedDuration(10, longestTimer).meta({ title: 'duration' }).transform(parseDurationMs)
/** The range that brokers take by default (`group.min.session.timeout.ms` to a practical most). */
export const sessionTimeout = boundedDuration(6_000, 300_000).meta({ title: 'duration' }).transform(parseDurationMs)

const sizeRule = 'must be a size: an integer and B, KB, MB or GB, such as 25MB'
export const size = z
  .string(sizeRule)
  .regex(sizePattern, { error: sizeRule, abort: true })
  .refine((text) => parseSizeBytes(text) <= 1024 ** 4, { error: 'must be at most 1024GB' })
  .meta({ title: 'size' })
  .transform(parseSizeBytes)

const rateRule = 'must be a rate: a count from 1, a slash and a duration, such as 30/1m'
export const rate = z
  .string(rateRule)
  .regex(ratePattern, { error: rateRule, abort: true })
  .refine((text) => parseRate(text).count >= 1 && parseRate(text).perMs >= 1, { error: rateRule })
  .meta({ title: 'rate' })
  .transform(parseRate)

const dateRule = 'must be a date: 2026-01-31 (00:00 UTC) or 2026-01-31T12:00:00Z'
export const date = z
  .string(dateRule)
  .regex(datePattern, { error: dateRule, abort: true })
  .refine((text) => !Number.isNaN(parseDateMs(text)), { error: `${dateRule}; there is no such day or time` })
  .meta({ title: 'date' })
  .transform(parseDateMs)

export const integer = (min: number, max: number) => {
  const rule = `must be an integer from ${min} to ${max}`
  return z
    .int(rule)
    .min(min, rule)
    .max(max, rule)
    .meta({ title: `integer, ${min} to ${max}` })
}

const flagRule = 'must be true or false'
export const flag = z.boolean(flagRule)

/** One line of text: a name, a subject. */
export const line = (longest: number, what = 'text') => {
  const rule = `must be ${what} of 1 to ${longest} characters without line breaks or control characters`
  return z
    .string(rule)
    .min(1, rule)
    .max(longest, rule)
    .refine((text) => !control.test(text) && !/\p{Surrogate}/u.test(text), { error: rule })
    .meta({ title: what.replace(/^an? /, '') })
}

export const oneOf = <const T extends readonly [string, ...string[]]>(...names: T) =>
  z.enum(names, `must be ${names.length === 1 ? '' : 'one of '}${names.join(', ')}`)

const secretRule = 'must be text without line breaks (in quotes where it looks like a number)'
export const secret = z
  .string(secretRule)
  .min(1, 'must not be empty')
  .max(65_536, 'must be at most 65536 characters')
  .refine((text) => !/[\0\r\n]/.test(text), { error: secretRule })
  .meta({ title: 'secret' })

export const filePath = line(4096, 'the path of a file').meta({ title: 'file' })
export const folder = line(1000, 'the name of a folder').meta({ title: 'folder' })
export const subjectPart = line(1000)
export const addressGlob = line(320, 'an address pattern (* and ? stand for any characters and any one)').meta({
  title: 'address pattern',
})
export const port = integer(1, 65_535).meta({ title: 'port' })

const hostRule = 'must be a host name or an IP address, without a scheme, a port or a path'
export const host = z
  .string(hostRule)
  .min(1, hostRule)
  .max(253, hostRule)
  .refine((text) => isIP(text) !== 0 || /^[\p{L}\p{N}]([\p{L}\p{N}._-]*[\p{L}\p{N}.])?$/u.test(text), {
    error: hostRule,
  })
  .meta({ title: 'host' })

const brokerRule = 'must be host:port, such as kafka-1.example.com:9092'
export const broker = z
  .string(brokerRule)
  .meta({ title: '`host:port`' })
  .refine(
    (text) => {
      const [, name = '', number = ''] = /^(\[[0-9A-Fa-f:.]+\]|[\p{L}\p{N}._-]+):(\d{1,5})$/u.exec(text) ?? []
      return name !== '' && Number(number) >= 1 && Number(number) <= 65_535
    },
    { error: brokerRule },
  )

const topicRule = 'must be a topic name: 1 to 249 of A-Z a-z 0-9 . _ - and not . or ..'
export const topic = z
  .string(topicRule)
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, topicRule)
  .meta({ title: 'topic' })

const bucketRule = 'must be a bucket name: 3 to 255 of A-Z a-z 0-9 . _ -, beginning with a letter or digit'
export const bucket = z
  .string(bucketRule)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$/, bucketRule)
  .meta({ title: 'bucket' })

/** Loopback in the sense of a URL or a listener: traffic to it never leaves the machine. */
export const isLoopback = (name: string): boolean =>
  name === 'localhost' || name === '::1' || name === '[::1]' || (isIP(name) === 4 && name.startsWith('127.'))

const parsedUrl = (text: string): URL | null => {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

const isPlainUrl = (text: string): boolean => {
  const url = parsedUrl(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.hash === ''
}

const urlRule = 'must be an http or https URL without a user, a password or a fragment in it'
export const url = z
  .string(urlRule)
  .max(2048, urlRule)
  .refine(isPlainUrl, { error: urlRule, abort: true })
  .meta({ title: 'URL' })

const httpsRule = 'must be an https URL (http only on a loopback address), because credentials travel over it'
/** Where OAuth credentials travel (RFC 6749 3.1, 3.2). */
export const credentialUrl = url.refine(
  (text) => text.startsWith('https:') || isLoopback(parsedUrl(text)?.hostname ?? ''),
  { error: httpsRule },
)
