/**
 * The content of a mail onto a socket, in bounded memory: each piece is handed over when the system has taken the one
 * before. The final dot is left to the caller.
 */
import type { Socket } from 'node:net'

import { DotStuffer } from './dot-stuffing.ts'

export type MailContent = Buffer | AsyncIterable<Buffer>

export const pieceBytes = 64 * 1024

export interface WriteControl {
  /** False: the rest is not wanted any more; the source is closed and nothing further is written. */
  wanted(): boolean
  /** A piece was taken. */
  progress(): void
}

/**
 * @returns what ends the data
 * @throws whatever the source throws
 */
export const writeContent = async (
  socket: Socket,
  content: MailContent,
  { wanted, progress }: WriteControl,
): Promise<Buffer> => {
  const stuffer = new DotStuffer()
  for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      if (!wanted()) return stuffer.end()
      await taken(socket, stuffer.push(chunk.subarray(at, at + pieceBytes)))
      if (wanted()) progress()
    }
  }
  return stuffer.end()
}

/** Resolves when the system has taken the bytes, or the connection is gone. */
const taken = (socket: Socket, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => {
    socket.write(bytes, () => resolve())
  })
