/** The mails that every contender sends: 2 KB of plain text, one recipient, one of a thousand mailboxes. */
import type { RecordInputs } from '../../src/avro/records.ts'

export const account = 'bench'
export const senderAddress = 'bench@example.com'
export const sender = `Bench <${senderAddress}>`

const recipients = 1_000
const textBytes = 1_900
const sentence = 'The quick brown fox jumps over the lazy dog, twice a day, and never asks why.\n'
const text = sentence.repeat(Math.ceil(textBytes / sentence.length)).slice(0, textBytes)

export const recipientOf = (index: number): string => `user${index % recipients}@example.com`

/** The index makes ids and subjects unique; equal indexes give equal mails. */
export const requestOf = (
  index: number,
): RecordInputs['SendRequest'] & { id: string; subject: string; text: string } => ({
  id: `bench-${index}`,
  account,
  to: [recipientOf(index)],
  subject: `Message ${index} of the benchmark`,
  text,
})
