/** The fields of the message's own header, each by its grammar, and the list of all of them. */
import type { HeaderField, ParsedMessage } from '../message.ts'
import { parseAddressList } from './address-list.ts'
import { wellFormed } from './charset.ts'
import { parseDate } from './date.ts'
import { decodeHeaderText, decodeRaw } from './decode-words.ts'
import type { DefectLog } from './defects.ts'
import type { FieldIndex, RawField } from './header-fields.ts'
import type { ParseLimits } from './limits.ts'
import { parseInReplyTo, parseMessageId, parseReferences } from './message-ids.ts'

type TopFields = Pick<
  ParsedMessage,
  | 'messageId'
  | 'inReplyTo'
  | 'references'
  | 'subject'
  | 'from'
  | 'sender'
  | 'replyTo'
  | 'to'
  | 'cc'
  | 'bcc'
  | 'date'
  | 'headers'
>

/** Fields that a message has once (RFC 5322 3.6). Of several the first counts; of recipients and Reply-To all do. */
const single = ['date', 'from', 'sender', 'message-id', 'in-reply-to', 'subject', 'content-type']

export const readTopFields = (
  fields: RawField[],
  index: FieldIndex,
  limits: ParseLimits,
  defects: DefectLog,
): TopFields => {
  let addressesLeft = limits.maxAddresses
  const addresses = (raws: string[]): TopFields['to'] => {
    const list = parseAddressList(raws, addressesLeft, defects)
    addressesLeft -= list.length
    return list
  }
  const first = (key: string): string[] => index.all(key).slice(0, 1)
  if (single.some((key) => index.all(key).length > 1)) {
    defects.add('header value: the same field again; the first was used')
  }
  const subject = index.first('subject')
  return {
    messageId: parseMessageId(index.first('message-id'), defects),
    inReplyTo: parseInReplyTo(index.first('in-reply-to'), defects),
    references: parseReferences(index.all('references'), limits.maxReferences, defects),
    subject: subject === null ? null : cut(decodeHeaderText(subject, defects), limits, defects),
    from: addresses(first('from')),
    sender: addresses(first('sender')),
    replyTo: addresses(index.all('reply-to')),
    to: addresses(index.all('to')),
    cc: addresses(index.all('cc')),
    bcc: addresses(index.all('bcc')),
    date: parseDate(index.first('date'), defects),
    headers: listFields(fields, limits, defects),
  }
}

const cut = (value: string, limits: ParseLimits, defects: DefectLog): string => {
  if (value.length <= limits.maxValueLength) return value
  defects.add('header value: longer than the bound; it was cut')
  return wellFormed(value.slice(0, limits.maxValueLength))
}

const listFields = (fields: RawField[], limits: ParseLimits, defects: DefectLog): HeaderField[] => {
  if (fields.length > limits.maxHeaderFields) {
    defects.add('header: more fields than the bound; the rest was left out')
  }
  return fields.slice(0, limits.maxHeaderFields).map(({ name, raw }) => ({
    name: decodeRaw(name, defects),
    value: cut(decodeHeaderText(raw, defects), limits, defects),
  }))
}
