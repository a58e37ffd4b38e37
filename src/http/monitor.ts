/** What an operator sees of a running worker: its events counted, its readiness, both over HTTP. */
import type { HttpConfig } from '../config/config.ts'
import type { Emit } from '../events.ts'
import type { Awaited } from '../readiness.ts'
import { countEvent, eventFamilies, type CountingContext } from './count-events.ts'
import { listenHttp } from './http-listener.ts'
import { Metrics } from './metrics.ts'
import { processFamilies, readProcess } from './process-metrics.ts'

export interface MonitorOptions extends CountingContext {
  /** Where events go besides. */
  emit: Emit
  /** Empty: ready. */
  awaited: () => readonly Awaited[]
}

export interface Monitor {
  /** Counts the event and passes it on. */
  emit: Emit
  close(): Promise<void>
}

/** @throws PosthornError `ENVIRONMENT_UNSUITABLE`: it can't listen */
export const startMonitor = async (config: HttpConfig, options: MonitorOptions): Promise<Monitor> => {
  const { emit, awaited } = options
  const metrics = new Metrics({ ...processFamilies, ...eventFamilies })
  const listener = await listenHttp(config, {
    awaited,
    metrics: () => {
      metrics.apply(readProcess(awaited().length === 0))
      return metrics.render()
    },
  })
  emit({ type: 'Listening', url: listener.url })
  return {
    emit: (event) => {
      metrics.apply(countEvent(event, options))
      emit(event)
    },
    close: () => listener.close(),
  }
}
