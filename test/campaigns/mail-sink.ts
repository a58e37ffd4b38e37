/** A fast SMTP server that remembers which mail came when, from whom, and answers as the recipient's name says. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

export interface Delivery {
  /** Field X-Request of the mail. */
  id: string
  worker: number
  /** How often this worker had been killed before. */
  life: number
}

export interface MailSink {
  port: number
  close(): void
}

export interface SinkOptions {
  /** Called when the whole mail has come, before it is answered. */
  onMail: (id: string) => void
  /** Milliseconds until the final dot is answered. */
  answerAfterMs: () => number
}

/** `later…@` is put off at its first try, `reject…@` is refused. */
export const startMailSink = async ({ onMail, answerAfterMs }: SinkOptions): Promise<MailSink> => {
  const putOff = new Set<string>()
  const answerRecipient = (line: string): string => {
    if (line.includes('<reject')) return '550 5.1.1 no such user'
    if (!line.includes('<later') || putOff.has(line)) return '250 2.1.5 ok'
    putOff.add(line)
    return '450 4.2.0 come again'
  }
  const serve = (socket: Socket): void => {
    let input = ''
    let inContent = false
    let hasRecipient = false
    const say = (line: string): boolean => socket.writable && socket.write(`${line}\r\n`)
    const command = (line: string): void => {
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'EHLO') say('250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES')
      else if (verb === 'RCPT') {
        const answer = answerRecipient(line)
        hasRecipient ||= answer.startsWith('2')
        say(answer)
      } else if (verb === 'DATA') {
        inContent = hasRecipient
        say(hasRecipient ? '354 go on' : '554 5.5.1 no valid recipients')
      } else if (verb === 'QUIT') {
        say('221 bye')
        socket.end()
      } else {
        hasRecipient = false
        say('250 2.0.0 ok')
      }
    }
    let isAnswering = false
    const work = (): void => {
      while (!isAnswering) {
        const end = input.indexOf(inContent ? '\r\n.\r\n' : '\r\n')
        if (end < 0) return
        const text = input.slice(0, end)
        input = input.slice(end + (inContent ? 5 : 2))
        if (!inContent) {
          command(text)
          continue
        }
        inContent = false
        hasRecipient = false
        onMail(/^X-Request: (\S+)/m.exec(text)?.[1] ?? '')
        // What comes meanwhile is answered after this.
        isAnswering = true
        setTimeout(() => {
          isAnswering = false
          say('250 2.0.0 Ok: queued')
          work()
        }, answerAfterMs())
      }
    }
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      input += chunk.toString('latin1')
      work()
    })
    say('220 sink.example ESMTP')
  }
  const server = createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}
