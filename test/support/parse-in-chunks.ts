import type { BodyKind } from '../../src/mail/message.ts'
import type { ParseLimits } from '../../src/mail/parse/limits.ts'
import { MessageParser } from '../../src/mail/parse/message-parser.ts'
import type { WholeMessage } from '../../src/mail/parse/parse-message.ts'

/** Collects copies: a chunk's memory may be used again. */
export const collector = (done: (content: Buffer) => void) => {
  const pieces: Buffer[] = []
  return {
    write: (bytes: Buffer): void => {
      pieces.push(Buffer.from(bytes))
    },
    end: (): void => done(Buffer.concat(pieces)),
  }
}

/** Feeds the core itself, so that chunks of a byte stay chunks of a byte. */
export const parseInChunks = (chunks: Buffer[], limits: ParseLimits): WholeMessage => {
  const attachments: WholeMessage['attachments'] = []
  const bodies = new Map<BodyKind, Buffer>()
  const parser = new MessageParser(limits, {
    attachment: (head) => collector((content) => attachments.push({ ...head, content })),
    largeBody: (kind) => collector((content) => bodies.set(kind, content)),
  })
  for (const chunk of chunks) parser.push(chunk)
  const message = parser.finish()
  return {
    message,
    attachments,
    largeBodies: message.largeBodies.map((kind) => ({ kind, content: bodies.get(kind) ?? Buffer.alloc(0) })),
  }
}
