/** A child process whose memory and processor time are watched from outside, as `/proc` tells them (Linux). */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** USER_HZ of Linux, the same on every architecture. */
const ticksPerSecond = 100
const sampleMs = 20

export interface ProcessCost {
  peakRssMb: number
  cpuSeconds: number
}

export interface MeasuredProcess {
  readonly pid: number
  /** Until now, or until the end. */
  cost(): ProcessCost
  /** Resident now, MB. */
  rssMb(): number
  signal(name: NodeJS.Signals): void
  /** Lines of its output, both streams. */
  readonly lines: readonly string[]
  /** The first line that is meant, one that has come already too. */
  seen(isMeant: (line: string, index: number) => boolean): Promise<string>
  /** @throws Error when its exit code is not 0 */
  readonly finished: Promise<void>
}

const kilobytes = (status: string, name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0)

export const startMeasured = (command: string, args: readonly string[], cwd?: string): MeasuredProcess => {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} can't be run`)
  const cost: ProcessCost = { peakRssMb: 0, cpuSeconds: 0 }
  const status = (): string => readFileSync(`/proc/${pid}/status`, 'latin1')
  const sample = (): void => {
    try {
      const peak = kilobytes(status(), 'VmHWM')
      // proc(5): utime and stime are fields 14 and 15; the name before them may hold anything but ends with `)`.
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')
      const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
      cost.peakRssMb = Math.max(cost.peakRssMb, peak / 1024)
      cost.cpuSeconds = Math.max(cost.cpuSeconds, cpuSeconds)
    } catch {
      // It has ended: the last sample stands.
    }
  }
  const timer = setInterval(sample, sampleMs)
  const lines: string[] = []
  const waiting: { isMeant: (line: string, index: number) => boolean; resolve: (line: string) => void }[] = []
  const onLine = (line: string): void => {
    const index = lines.push(line) - 1
    for (const met of waiting.filter(({ isMeant }) => isMeant(line, index))) {
      waiting.splice(waiting.indexOf(met), 1)
      met.resolve(line)
    }
  }
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine)
  const finished = once(child, 'close').then(([code, signal]) => {
    clearInterval(timer)
    if (code !== 0) throw new Error(`${command} ended with ${code ?? signal}: ${lines.slice(-5).join(' | ')}`)
  })
  finished.catch(() => undefined)
  return {
    pid,
    cost: () => {
      sample()
      return { ...cost }
    },
    rssMb: () => kilobytes(status(), 'VmRSS') / 1024,
    signal: (name) => void child.kill(name),
    lines,
    seen: (isMeant) => {
      const found = lines.find(isMeant)
      if (found !== undefined) return Promise.resolve(found)
      const seen = new Promise<string>((resolve) => waiting.push({ isMeant, resolve }))
      const ended = finished.then(() => {
        throw new Error(`${command} ended too early: ${lines.slice(-5).join(' | ')}`)
      })
      return Promise.race([seen, ended])
    },
    finished,
  }
}
