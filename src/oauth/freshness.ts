/** When a token is replaced (pure). */

interface Lifetime {
  /** Milliseconds since the epoch. */
  refreshedAt: number
  expiresAt: number
}

const longestMarginMs = 5 * 60_000

/** Whether a token is still handed out: it must not expire while a login is under way, or soon after. */
export const isFresh = ({ refreshedAt, expiresAt }: Lifetime, now: number): boolean =>
  expiresAt - now > Math.min(longestMarginMs, (expiresAt - refreshedAt) / 5)
