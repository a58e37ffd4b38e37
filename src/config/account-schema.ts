/** One account of the configuration file, as it is written. The descriptions become docs and the JSON Schema. Pure. */

import { z } from 'zod'

import { oauth2, tlsKeys } from './connection-schema.ts'
import {
  addressGlob,
  date,
  filePath,
  flag,
  folder,
  host,
  integer,
  line,
  oneOf,
  port,
  rate,
  secret,
  size,
  subjectPart,
  timerDuration,
} from './values.ts'

const credentials = z.strictObject({
  user: line(320).describe('Login name.'),
  password: secret.optional().describe('Either this or `oauth2`.'),
  oauth2: oauth2.optional().describe('OAuth 2.0 instead of a password.'),
})

const authOr = (other: 'same-as-smtp' | 'same-as-imap') =>
  z.union([z.literal(other), credentials], `must be ${other} or an object with user and either password or oauth2`)

const serverKeys = {
  host: host.describe('Name or address of the server.'),
  security: oneOf('none', 'starttls', 'tls').describe(
    '`none`; `starttls`: required, a server that does not offer it is refused; `tls`: from the first byte.',
  ),
  allowPlaintextAuth: flag.prefault(false).describe('Allows a login with `security: none`.'),
  connectTimeout: timerDuration
    .prefault('30s')
    .describe('Longest wait for the connection and each reply of its setup.'),
  ...tlsKeys,
}

const dkim = z.strictObject({
  domain: host.describe('`d=`.'),
  selector: line(63, 'a selector')
    .regex(/^[A-Za-z0-9._-]+$/, 'must be a DNS label')
    .describe('`s=`.'),
  privateKeyFile: filePath.describe('PEM file of the private key, not encrypted.'),
})

const smtp = z.strictObject({
  ...serverKeys,
  port: port.optional().describe('Without it: 25 for `none`, 587 for `starttls`, 465 for `tls`.'),
  auth: authOr('same-as-imap').optional().describe('Without it: no login.'),
  from: line(1000, 'an address, perhaps with a name')
    .optional()
    .describe('Default From. Without it: `auth.user` where that is an address, else each request must name its own.'),
  allowedFrom: z
    .array(addressGlob)
    .min(1, 'must name at least one pattern')
    .optional()
    .describe('Which From addresses a request may use besides `from`: globs over the bare address, any case.'),
  connections: integer(1, 1000).optional().describe('Most connections at once. Without it: the profile’s, else 4.'),
  messagesPerConnection: integer(1, 1_000_000)
    .optional()
    .describe('Messages after which a connection is closed. Without it: the profile’s, else no limit.'),
  rate: rate.optional().describe('Most messages in a time, such as `30/1m`. Without it: the profile’s, else no limit.'),
  dkim: dkim.optional().describe('Signs what is sent (RFC 6376). Without it: not signed here.'),
})

const imap = z.strictObject({
  ...serverKeys,
  port: port.optional().describe('Without it: 143 for `none` and `starttls`, 993 for `tls`.'),
  auth: authOr('same-as-smtp').optional().describe('Without it: no login (PREAUTH).'),
  connections: integer(1, 100).optional().describe('Most connections at once. Without it: the profile’s, else 5.'),
  probeInterval: timerDuration
    .prefault('4m')
    .describe(
      'Longest silence before the connection must prove that it lives. With `commandTimeout` the time in which a half-open one is found.',
    ),
  commandTimeout: timerDuration
    .prefault('1m')
    .describe('Longest wait for the server’s next bytes while a command runs.'),
})

const select = z.strictObject({
  subject: subjectPart.optional().describe('Part of the decoded subject, any case.'),
  from: addressGlob.optional().describe('Glob over the whole bare address of a From mailbox, any case.'),
  to: addressGlob.optional().describe('The same over the To mailboxes.'),
  unread: flag.optional().describe('`true`: without `\\Seen`; `false`: with it.'),
  since: date.optional().describe('Received at or after this time (INTERNALDATE).'),
  before: date.optional().describe('Received before this time (INTERNALDATE).'),
  larger: size.optional().describe('Larger than this.'),
  smaller: size.optional().describe('Smaller than this.'),
  hasAttachment: flag.optional().describe('With or without an attachment.'),
  keyword: line(200, 'a keyword')
    .regex(/^\\?[^\s(){%*"\\\]]+$/, 'must be an IMAP keyword or flag (RFC 3501 9)')
    .optional()
    .describe('IMAP keyword or flag that must be set.'),
})

const startRule = 'must be earliest, latest, unread or a date such as 2026-01-31 or 2026-01-31T12:00:00Z'

const receive = z.strictObject({
  folder: folder.describe('Folder to listen to.'),
  start: z
    .union([z.enum(['earliest', 'latest', 'unread']), date], startRule)
    .prefault('unread')
    .describe('Where a folder without a checkpoint begins; governs only what is there at first sight.'),
  select: select.prefault({}).describe('What to take; the rest is left untouched. Without it: everything.'),
  after: z
    .union(
      [z.enum(['none', 'seen', 'delete']), z.strictObject({ move: folder.describe('Folder to move to.') })],
      'must be none, seen, delete or { move: FOLDER }',
    )
    .prefault('none')
    .describe('What is done with a message once its record is committed.'),
  idle: flag.prefault(true).describe('Listen with IDLE where the server offers it.'),
  poll: timerDuration.prefault('1m').describe('Time between two looks without IDLE, and a safety net with it.'),
  keepRaw: flag
    .prefault(false)
    .describe(
      'Store the raw message too and name it in the record; one that can not be read in full is stored anyway.',
    ),
  uidValidityChanged: oneOf('reseed', 'replay', 'reconcile')
    .prefault('reseed')
    .describe(
      'When the server renumbers the folder. `reseed`: go on with what arrived after the newest message that was settled; `replay`: all of it; `reconcile`: compare with the newest messages.',
    ),
})

export const account = z.strictObject({
  profile: oneOf('gmail', 'microsoft365', 'ses')
    .optional()
    .describe('Limits of a provider, as defaults for `connections`, `messagesPerConnection` and `rate`.'),
  smtp: smtp.optional().describe('Without it: the account can’t send.'),
  imap: imap.optional().describe('Without it: the account can’t receive, nor run commands.'),
  receive: z.array(receive).prefault([]).describe('Folders to listen to, each at most once.'),
  archiveFolder: folder.optional().describe('Without it: the folder with SPECIAL-USE `\\Archive`.'),
  sentFolder: folder.optional().describe('Without it: the folder with SPECIAL-USE `\\Sent`.'),
})

export const accountName = line(255, 'an account name')

export type AccountSource = z.output<typeof account>
export type CredentialsSource = z.output<typeof credentials>
