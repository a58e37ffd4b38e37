/**
 * Keeps kafkajs 2.2.4 from waking up every millisecond.
 *
 * Each of its connections schedules a check of its pending requests after every response, also when none are pending and
 * nothing is throttled; the delay is then negative, which timers take for 1 ms, and the check schedules the next one
 * (kafkajs#1751; Node 24 warns of it besides). That was half of the CPU time of a worker at rest. Requests that
 * wait for others in flight are looked at when one of those is answered, so only a throttle needs the timer.
 */
import { createRequire } from 'node:module'

interface RequestQueue {
  pending: unknown[]
  /** Milliseconds since the epoch; -1: not throttled. */
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
}

interface RequestQueueClass {
  prototype: RequestQueue & { scheduleCheckPendingRequests(this: RequestQueue): void }
}

const soonMs = 10

const scheduleCheckPendingRequests = function (this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    },
    Math.max(soonMs, this.throttledUntil - Date.now()),
  )
}

/** Of the version that package.json pins; a test sees to it that it still takes effect. Once is enough. */
export const quietRequestQueue = (): void => {
  const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as RequestQueueClass
  queue.prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests
}
