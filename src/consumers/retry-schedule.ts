import type { RetryConfig, RetryTier } from '../config/config.ts'

export interface NextAttempt {
  tier: RetryTier
  /** Milliseconds since the epoch. */
  dueAt: number
}

/**
 * Where a request goes after a failed attempt (pure).
 *
 * Tier n follows attempt n, the last tier repeats. Null: the next attempt would come after the request's end, which is
 * `maxAge` after it was published or its own `expiresAt`, whichever is earlier.
 *
 * @param attempt number of the attempt that failed, from 1
 */
export const scheduleRetry = (
  attempt: number,
  now: number,
  endsAt: number,
  { tiers }: Pick<RetryConfig, 'tiers'>,
): NextAttempt | null => {
  const tier = tiers[Math.min(attempt, tiers.length) - 1]
  if (tier === undefined) return null
  const dueAt = now + tier.delayMs
  return dueAt > endsAt ? null : { tier, dueAt }
}

/** When a request may no longer be tried. */
export const endOf = (
  publishedAt: number,
  expiresAt: number | null,
  { maxAgeMs }: Pick<RetryConfig, 'maxAgeMs'>,
): number => Math.min(publishedAt + maxAgeMs, expiresAt ?? Number.POSITIVE_INFINITY)

/**
 * Where a request waits for its `sendAt` (pure): the longest tier that does not overshoot, so that records of one tier
 * stay nearly in the order of their due times; null when less than the shortest tier is left, which is waited for in
 * place.
 */
export const scheduleStart = (
  sendAt: number,
  now: number,
  { tiers }: Pick<RetryConfig, 'tiers'>,
): NextAttempt | null => {
  const tier = tiers.findLast(({ delayMs }) => delayMs <= sendAt - now)
  return tier === undefined ? null : { tier, dueAt: now + tier.delayMs }
}

/** Where a request waits that could not even be tried (pure). */
export const shortestWait = (now: number, { tiers }: Pick<RetryConfig, 'tiers'>): NextAttempt => {
  const [tier] = tiers
  if (tier === undefined) throw new RangeError('the configuration must name a tier')
  return { tier, dueAt: now + tier.delayMs }
}
