/** The runs as a table in Markdown (pure). */
import type { Run } from './contenders.ts'

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/**
 * Medians; the ratios are medians of the ratios within each round.
 *
 * @param runs by contender, in the order of the rounds
 */
export const printReport = (runs: Readonly<Record<string, readonly Run[]>>): string => {
  const baselines = ['smtp-source', 'nodemailer'].filter((name) => name in runs)
  const ratio = (of: readonly Run[], to: readonly Run[]): string =>
    median(of.map(({ perSecond }, round) => perSecond / (to[round]?.perSecond ?? Number.NaN))).toFixed(2)
  const head = ['', 'messages/s', ...baselines.map((name) => `x ${name}`), 'peak RSS, MB', 'CPU-s per 1,000']
  const lines = Object.entries(runs).map(([name, of]) => [
    name,
    Math.round(median(of.map(({ perSecond }) => perSecond))).toLocaleString('en'),
    ...baselines.map((baseline) => ratio(of, runs[baseline] ?? [])),
    median(of.map(({ peakRssMb }) => peakRssMb)).toFixed(0),
    median(of.map(({ cpuSecondsPer1000 }) => cpuSecondsPer1000)).toFixed(2),
  ])
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n')
}
