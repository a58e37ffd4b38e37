/** Who sends the same mails into the same sink, without Kafka. */
import { startMeasured, type MeasuredProcess } from '../receive/measured-process.ts'
import { postfixTool } from './postfix-tools.ts'
import { recipientOf, senderAddress } from './workload.ts'

export interface Run {
  perSecond: number
  peakRssMb: number
  cpuSecondsPer1000: number
}

export interface Load {
  port: number
  count: number
  connections: number
}

/** @param seconds that the sending took */
export const toRun = (of: MeasuredProcess, count: number, seconds: number): Run => {
  const { peakRssMb, cpuSeconds } = of.cost()
  return { perSecond: count / seconds, peakRssMb, cpuSecondsPer1000: (cpuSeconds / count) * 1_000 }
}

/** It is done so soon that what else the machine does would decide: it sends more. */
const smtpSourceFactor = 4

/** The limit: a C program that sends one and the same mail, each session in lockstep. */
export const runSmtpSource = async ({ port, count, connections }: Load): Promise<Run> => {
  const total = count * smtpSourceFactor
  const load = ['-d', '-s', connections, '-m', total, '-l', 2_048, '-f', senderAddress, '-t', recipientOf(0)]
  const startedAt = performance.now()
  const source = startMeasured(postfixTool('smtp-source'), [...load, `127.0.0.1:${port}`].map(String))
  await source.finished
  return toRun(source, total, (performance.now() - startedAt) / 1_000)
}

const nodemailerPool = new URL('../nodemailer-pool.ts', import.meta.url).pathname

export const runNodemailer = async ({ port, count, connections }: Load): Promise<Run> => {
  const args = ['--import', 'tsx', nodemailerPool, port, count, connections]
  const pool = startMeasured(process.execPath, args.map(String))
  const line = await pool.seen((line) => line.startsWith('{'))
  await pool.finished
  return toRun(pool, count, (JSON.parse(line) as { seconds: number }).seconds)
}
