/** What a scrape asks of the process itself, under the names that dashboards for Prometheus expect. */
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import type { Change } from './metrics.ts'

export const processFamilies = {
  posthorn_ready: { type: 'gauge', help: '1 when /readyz answers 200, else 0.', labels: [] },
  process_start_time_seconds: { type: 'gauge', help: 'Unix time at which the process started.', labels: [] },
  process_cpu_seconds_total: { type: 'counter', help: 'User and system CPU time.', labels: [] },
  process_resident_memory_bytes: { type: 'gauge', help: 'Resident memory.', labels: [] },
  nodejs_heap_size_used_bytes: { type: 'gauge', help: 'JavaScript heap in use.', labels: [] },
  nodejs_eventloop_active_seconds_total: {
    type: 'counter',
    help: 'Time in which the event loop was not idle: its rate is the utilization, 1 is saturated.',
    labels: [],
  },
} as const

export const readProcess = (isReady: boolean): readonly Change<typeof processFamilies>[] => {
  const labels = {}
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const { active } = performance.eventLoopUtilization()
  return [
    { name: 'posthorn_ready', labels, set: isReady ? 1 : 0 },
    { name: 'process_start_time_seconds', labels, set: performance.timeOrigin / 1_000 },
    { name: 'process_cpu_seconds_total', labels, set: (user + system) / 1e6 },
    { name: 'process_resident_memory_bytes', labels, set: rss },
    { name: 'nodejs_heap_size_used_bytes', labels, set: heapUsed },
    { name: 'nodejs_eventloop_active_seconds_total', labels, set: active / 1_000 },
  ]
}
