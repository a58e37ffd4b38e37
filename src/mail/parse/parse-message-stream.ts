/** Parsing a message of any size in bounded memory. */
import type { AttachmentHead, BodyKind, ParsedMessage } from '../message.ts'
import type { ContentSink } from './content.ts'
import type { ParseLimits } from './limits.ts'
import { MessageParser } from './message-parser.ts'
import { unparsable } from './parse-message.ts'

/**
 * Where one content is stored. `write` and `end` are called in order, each after the one before has settled, so a
 * slow store holds the source back. After a failure anywhere, `abort` is called once on what has not ended.
 */
export interface AttachmentSink {
  write(bytes: Buffer): void | Promise<void>
  end(): void | Promise<void>
  abort(reason: unknown): void | Promise<void>
}

/** What the stream form asks of its caller. */
export interface SinkOpener {
  openAttachment(head: AttachmentHead): AttachmentSink | Promise<AttachmentSink>
  /** A body above `maxInlineBodyBytes`; its bytes are UTF-8. Both bodies can be open at once. */
  openLargeBody(kind: BodyKind): AttachmentSink | Promise<AttachmentSink>
}

/** Bytes that are parsed before what they yielded is written: bounds what is in memory at once. */
const stepBytes = 256 * 1024

type Step = () => Promise<void>

/**
 * Parses what `source` yields. The result is that of `parseMessage` on the same bytes, whatever their chunks.
 *
 * Rejects with the error of the source or of a sink as it is, or with a PosthornError MESSAGE_UNPARSABLE.
 */
export const parseMessageStream = async (
  source: AsyncIterable<Buffer>,
  limits: ParseLimits,
  opener: SinkOpener,
): Promise<ParsedMessage> => {
  const steps: Step[] = []
  const open = new Set<AttachmentSink>()
  const queueSink = (openSink: () => AttachmentSink | Promise<AttachmentSink>): ContentSink => {
    let sink: AttachmentSink | null = null
    steps.push(async () => {
      sink = await openSink()
      open.add(sink)
    })
    return {
      write: (bytes) => {
        steps.push(async () => sink?.write(bytes))
      },
      end: () => {
        steps.push(async () => {
          await sink?.end()
          if (sink !== null) open.delete(sink)
        })
      },
    }
  }
  const settle = async (): Promise<void> => {
    for (const step of steps.splice(0)) await step()
  }
  const parser = new MessageParser(limits, {
    attachment: (head) => queueSink(() => opener.openAttachment(head)),
    largeBody: (kind) => queueSink(() => opener.openLargeBody(kind)),
  })
  try {
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; at += stepBytes) {
        const piece = chunk.subarray(at, at + stepBytes)
        guarded(() => parser.push(piece))
        await settle()
      }
    }
    const message = guarded(() => parser.finish())
    await settle()
    return message
  } catch (error) {
    for (const sink of open) await sink.abort(error)
    throw error
  }
}

const guarded = <T>(parse: () => T): T => {
  try {
    return parse()
  } catch (error) {
    throw unparsable(error)
  }
}
