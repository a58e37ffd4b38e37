/**
 * The limit of any client: `UID FETCH 1:* (BODY.PEEK[])`, every byte read and none looked at twice. A process of its own.
 *
 * Arguments: port, user, password. Prints the number of messages and the milliseconds from the connection to the end.
 */
import { createConnection } from 'node:net'
import process from 'node:process'

const [port = '', user = '', password = ''] = process.argv.slice(2)
const start = performance.now()
const socket = createConnection({ host: '127.0.0.1', port: Number(port) })
const commands = [`LOGIN "${user}" "${password}"`, 'EXAMINE INBOX', 'UID FETCH 1:* (UID BODY.PEEK[])', 'LOGOUT']
const lf = 10
const literal = /\{(\d+)\}\r?$/
let next = 0
let messages = 0
/** Bytes of the open literal that are still to come. */
let awaited = 0
let line = ''

const send = (): void => {
  const command = commands[next]
  if (command !== undefined) socket.write(`a${(next += 1)} ${command}\r\n`)
}

const onLine = (text: string): void => {
  const size = literal.exec(text)?.[1]
  if (size !== undefined) {
    awaited = Number(size)
    messages += 1
  } else if (text.startsWith('* OK') && next === 0) send()
  else if (text.startsWith(`a${next} OK`)) send()
  else if (text.startsWith(`a${next} `)) throw new Error(`the server refuses: ${text}`)
}

socket.on('data', (chunk) => {
  for (let at = 0; at < chunk.length;) {
    if (awaited > 0) {
      const taken = Math.min(awaited, chunk.length - at)
      awaited -= taken
      at += taken
      continue
    }
    const end = chunk.indexOf(lf, at)
    line += chunk.toString('latin1', at, end < 0 ? chunk.length : end)
    at = end < 0 ? chunk.length : end + 1
    if (end < 0) continue
    onLine(line)
    line = ''
  }
})
socket.on('close', () => process.stdout.write(`${messages} ${performance.now() - start}\n`))
