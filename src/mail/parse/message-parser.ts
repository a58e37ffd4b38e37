/**
 * The incremental core: bytes of one message in chunks of any size in, header facts out at the end, contents to sinks
 * on the way. `parseMessage` and `parseMessageStream` are two ways to feed it.
 */
import type { AttachmentHead, BodyKind, ParsedMessage, Protection } from '../message.ts'
import { BareReturns, feedsInto, withFeeds } from './bare-returns.ts'
import { BodyCollector } from './body-collector.ts'
import { CapturingSink, decodeInto, type ContentSink } from './content.ts'
import { DefectLog } from './defects.ts'
import { FieldIndex, splitHeader, type RawField } from './header-fields.ts'
import { kindOf } from './kind.ts'
import type { ParseLimits } from './limits.ts'
import { readPartHead, type PartHead } from './part-head.ts'
import { PartSplitter, type HeaderAnswer, type SplitterEvents } from './part-splitter.ts'
import { inlineProtection, protectionOf } from './protection.ts'
import { isOriginal, readReport, reportKindOf, type CapturedPart } from './report.ts'
import { readTopFields } from './top-fields.ts'
import { TextPart } from './text-part.ts'
import { expandTnef, type TnefBody } from './tnef.ts'

/** Where contents go; called in the order of the message, one open at a time but for the two bodies. */
export interface Outlets {
  attachment(head: AttachmentHead): ContentSink
  /** A body above the bound, as UTF-8. */
  largeBody(kind: BodyKind): ContentSink
}

interface Multipart {
  subtype: string
  parts: number
}

/** Bytes of a report's parts that are read. */
const maxCapturedBytes = 256 * 1024

export class MessageParser implements SplitterEvents {
  readonly #limits: ParseLimits
  readonly #outlets: Outlets
  readonly #defects = new DefectLog()
  readonly #returns = new BareReturns()
  readonly #splitter: PartSplitter
  readonly #text: BodyCollector
  readonly #html: BodyCollector
  readonly #multiparts: Multipart[] = []
  readonly #captures: { contentType: string; sink: CapturingSink }[] = []
  #fields: RawField[] | null = null
  #contentType = 'text/plain'
  #sink: ContentSink | null = null
  #attachments = 0
  #inReport = false
  #isCalendar = false
  #protection: Protection = 'NONE'
  /** Of the open part, where it is TNEF. */
  #tnef: CapturingSink | null = null
  /** Of the first TNEF that has one. */
  #tnefBody: TnefBody | null = null

  constructor(limits: ParseLimits, outlets: Outlets) {
    this.#limits = limits
    this.#outlets = outlets
    this.#splitter = new PartSplitter(this, limits)
    this.#text = new BodyCollector('\n', limits.maxInlineBodyBytes, () => outlets.largeBody('text'))
    this.#html = new BodyCollector('\n', limits.maxInlineBodyBytes, () => outlets.largeBody('html'))
  }

  push(chunk: Buffer): void {
    this.#split(this.#returns.push(chunk))
  }

  #split(bytes: Buffer): void {
    if (this.#fields === null && this.#returns.present) this.#splitter.endLinesInReturns()
    this.#splitter.push(bytes)
  }

  finish(): ParsedMessage {
    this.#split(this.#returns.finish())
    this.#splitter.finish()
    if (this.#returns.present) this.#defects.add('line breaks: carriage returns alone; each was read as a line break')
    const fields = this.#fields ?? []
    const index = new FieldIndex(fields)
    const captured: CapturedPart[] = this.#captures.map(({ contentType, sink }) => ({
      contentType,
      content: this.#returns.present ? withFeeds(sink.captured()) : sink.captured(),
    }))
    const report = readReport(captured, this.#defects)
    const top = readTopFields(fields, index, this.#limits, this.#defects)
    this.#useTnefBody()
    const text = this.#text.finish()
    const html = this.#html.finish()
    const largeBodies: BodyKind[] = []
    if (this.#text.isLarge) largeBodies.push('text')
    if (this.#html.isLarge) largeBodies.push('html')
    return {
      ...top,
      contentType: this.#contentType,
      text,
      html,
      largeBodies,
      kind: kindOf(index, report, this.#isCalendar),
      report: report?.report ?? null,
      protection: this.#protection === 'NONE' ? inlineProtection(text) : this.#protection,
      defects: this.#defects.list(),
    }
  }

  header(block: Buffer, cut: boolean): HeaderAnswer {
    if (cut) this.#defects.add('header: longer than the bound; the rest was left out')
    const { fields, bodyAt } = splitHeader(this.#returns.present ? withFeeds(block) : block, this.#defects)
    const parent = this.#multiparts.at(-1) ?? null
    const isMessage = this.#fields === null
    const index = new FieldIndex(fields)
    const head = readPartHead(index, parent?.subtype ?? null, this.#limits.maxValueLength, this.#defects)
    if (isMessage) {
      this.#fields = fields
      this.#contentType = head.contentType
    }
    if (parent !== null) parent.parts++
    this.#inReport ||= head.contentType === 'multipart/report' || reportKindOf(head.contentType) !== null
    if (this.#protection !== 'ENCRYPTED') this.#protection = protectionOf(head) ?? this.#protection
    if (!head.contentType.startsWith('multipart/')) {
      this.#open(head, parent)
      return { boundary: null, bodyAt }
    }
    if (head.boundary === null) {
      this.#defects.add('multipart: no boundary parameter; its content was left out')
    } else if (this.#multiparts.length >= this.#limits.maxNestingDepth) {
      this.#defects.add('multipart: nested deeper than the bound; kept whole as an attachment')
      this.#sink = this.#attachment(head)
    } else {
      this.#multiparts.push({ subtype: head.contentType.slice(10), parts: 0 })
      return { boundary: head.boundary, bodyAt }
    }
    return { boundary: null, bodyAt }
  }

  content(bytes: Buffer): void {
    this.#sink?.write(bytes)
  }

  endPart(): void {
    this.#sink?.end()
    this.#sink = null
    const tnef = this.#tnef
    this.#tnef = null
    if (tnef !== null) this.#expand(tnef)
  }

  /** The files of a TNEF attachment are attachments of their own, after it. */
  #expand(tnef: CapturingSink): void {
    const { maxTnefBytes } = this.#limits
    if (tnef.size > maxTnefBytes) {
      this.#defects.add('tnef: larger than the bound; its files were not taken out')
      return
    }
    const expanded = expandTnef(tnef.captured())
    if (expanded?.damaged === true) this.#defects.add('tnef: damaged; the files that could be read were taken out')
    if (expanded?.body.text || expanded?.body.html) this.#tnefBody ??= expanded.body
    for (const { fileName, contentType, contentId, content } of expanded?.files ?? []) {
      const sink = this.#outlets.attachment({
        index: this.#attachments++,
        fileName,
        contentType: contentType?.toLowerCase() ?? 'application/octet-stream',
        contentId: contentId === null ? null : `<${contentId}>`,
        disposition: 'ATTACHMENT',
      })
      sink.write(content)
      sink.end()
    }
  }

  /** Where the mail has no other body. */
  #useTnefBody(): void {
    if (this.#tnefBody === null || !this.#text.isEmpty || !this.#html.isEmpty) return
    const { text, html } = this.#tnefBody
    this.#text.append((text ?? '').replaceAll('\r\n', '\n'))
    this.#html.append((html ?? '').replaceAll('\r\n', '\n'))
    this.#defects.add('tnef: the body of the message is in it; it was read')
  }

  endMultipart(closed: boolean): void {
    const multipart = this.#multiparts.pop()
    if (multipart === undefined) return
    if (multipart.parts === 0) {
      this.#defects.add('multipart: no part found; its content was left out')
    } else if (!closed) {
      this.#defects.add('multipart: closing boundary missing; the part ends where the message or the outer part ends')
    }
  }

  rest(): void {
    this.#defects.add('parts: more than the bound; the rest was kept undecoded as one attachment')
    this.#sink = this.#outlets.attachment({
      index: this.#attachments++,
      fileName: null,
      contentType: 'application/octet-stream',
      contentId: null,
      disposition: 'ATTACHMENT',
    })
  }

  /**
   * A text/plain or text/html part is (part of) a body unless its disposition says otherwise, with a file name or
   * without one.
   */
  #open(head: PartHead, parent: Multipart | null): void {
    const { contentType, disposition } = head
    const isText = contentType === 'text/plain' || contentType === 'text/html'
    if (isText && (disposition === null || disposition === 'INLINE')) {
      this.#openText(head, contentType === 'text/html' ? this.#html : this.#text)
      return
    }
    if (contentType === 'text/calendar') {
      this.#isCalendar ||= head.calendarMethod !== null || parent === null || parent.subtype === 'alternative'
    }
    this.#openAttachment(head)
  }

  #openText({ charset, encoding }: PartHead, body: BodyCollector): void {
    const part = new TextPart(charset, body, this.#limits.maxInlineBodyBytes, this.#defects)
    this.#sink = this.#decoding(encoding, encoding === 'identity' && this.#returns.present ? feedsInto(part) : part)
  }

  /** What takes the content of an attachment as it was sent. */
  #attachment(head: PartHead): ContentSink {
    return this.#outlets.attachment({
      index: this.#attachments++,
      fileName: head.fileName,
      contentType: head.contentType,
      contentId: head.contentId,
      disposition: head.disposition === 'INLINE' ? 'INLINE' : 'ATTACHMENT',
    })
  }

  /** Removes a transfer encoding; those that are made of lines know line feeds only. */
  #decoding(encoding: PartHead['encoding'], sink: ContentSink): ContentSink {
    const decoding = decodeInto(encoding, sink, this.#defects)
    return encoding !== 'identity' && this.#returns.present ? feedsInto(decoding) : decoding
  }

  #openAttachment(head: PartHead): void {
    let sink = this.#attachment(head)
    if (this.#inReport && this.#captures.length < 10 && isReportPart(head.contentType)) {
      const capture = new CapturingSink(sink, maxCapturedBytes)
      this.#captures.push({ contentType: head.contentType, sink: capture })
      sink = capture
    }
    if (isTnef(head)) {
      this.#tnef = new CapturingSink(sink, this.#limits.maxTnefBytes)
      sink = this.#tnef
    }
    this.#sink = this.#decoding(head.encoding, sink)
  }
}

const isTnef = ({ contentType, fileName }: PartHead): boolean =>
  /^application\/(?:vnd\.)?ms-tnef$/.test(contentType) || fileName?.toLowerCase() === 'winmail.dat'

const isReportPart = (contentType: string): boolean => reportKindOf(contentType) !== null || isOriginal(contentType)
