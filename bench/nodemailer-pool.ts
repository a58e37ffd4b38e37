/**
 * nodemailer's pool without Kafka, for `send.ts`, which runs it as a process of its own: port, count and connections as
 * arguments; prints the seconds that the sending took.
 */
import { createTransport } from 'nodemailer'
import { requestOf, sender } from './send/workload.ts'

const [port = 0, count = 0, connections = 0] = process.argv.slice(2).map(Number)
/** Enough that no connection waits for a mail. */
const inFlight = connections * 4

const transport = createTransport({
  host: '127.0.0.1',
  port,
  pool: true,
  maxConnections: connections,
  maxMessages: Number.POSITIVE_INFINITY,
  ignoreTLS: true,
})
let next = 0
const sendOn = async (): Promise<void> => {
  while (next < count) {
    const { to, subject, text } = requestOf(next++)
    await transport.sendMail({ from: sender, to, subject, text })
  }
}
const startedAt = performance.now()
await Promise.all(Array.from({ length: inFlight }, sendOn))
console.log(JSON.stringify({ seconds: (performance.now() - startedAt) / 1_000 }))
transport.close()
