/** Parsing a message that is in memory. */
import { PosthornError } from '../../errors.ts'
import type { Attachment, AttachmentHead, BodyKind, ParsedMessage } from '../message.ts'
import type { ContentSink } from './content.ts'
import type { ParseLimits } from './limits.ts'
import { MessageParser } from './message-parser.ts'

/** A body above `maxInlineBodyBytes`. */
export interface LargeBody {
  kind: BodyKind
  /** UTF-8. */
  content: Buffer
}

export interface WholeMessage {
  message: ParsedMessage
  /** Content may share memory with the raw message. */
  attachments: Attachment[]
  /** In the order of `message.largeBodies`. */
  largeBodies: LargeBody[]
}

/** Collects content; whole content in one piece is not copied. */
const collect = (done: (content: Buffer) => void): ContentSink => {
  const pieces: Buffer[] = []
  return {
    write: (bytes) => {
      pieces.push(bytes)
    },
    end: () => {
      const [first] = pieces
      done(pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces))
    },
  }
}

/**
 * Parses one RFC 5322 message with MIME (RFC 2045 to 2049), however malformed; `docs/mail.md` says how.
 *
 * @throws PosthornError MESSAGE_UNPARSABLE when the message is more than this machine can hold
 */
export const parseMessage = (raw: Buffer, limits: ParseLimits): WholeMessage => {
  const attachments: Attachment[] = []
  const bodies = new Map<BodyKind, Buffer>()
  const parser = new MessageParser(limits, {
    attachment: (head: AttachmentHead) => collect((content) => attachments.push({ ...head, content })),
    largeBody: (kind) => collect((content) => bodies.set(kind, content)),
  })
  try {
    parser.push(raw)
    const message = parser.finish()
    return {
      message,
      attachments,
      largeBodies: message.largeBodies.map((kind) => ({ kind, content: bodies.get(kind) ?? Buffer.alloc(0) })),
    }
  } catch (error) {
    throw unparsable(error)
  }
}

export const unparsable = (cause: unknown): PosthornError =>
  new PosthornError('MESSAGE_UNPARSABLE', 'The message could not be parsed', {
    stage: 'parse',
    action: 'The raw message is kept with the dead letter; report it as a bug of Posthorn',
    cause,
  })
