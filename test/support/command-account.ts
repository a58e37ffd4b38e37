/** An account on the scripted IMAP server whose mailbox commands are carried out. */
import type { TestContext } from 'node:test'
import type { MailboxCommand } from '../../src/avro/records.ts'
import type { CommandPlan } from '../../src/consumers/plan-command.ts'
import {
  runMailboxCommand,
  type CommandOutcome,
  type CommandSettings,
} from '../../src/consumers/run-mailbox-command.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { mail } from './folder.ts'
import { startImapScriptServer, type ImapScriptServer, type ImapServerOptions } from './imap-fault-server.ts'

const commandWith = (changes: Partial<MailboxCommand>): MailboxCommand => ({
  id: 'c1',
  account: 'main',
  action: 'MOVE',
  fromFolder: 'INBOX',
  toFolder: null,
  createFolder: true,
  flags: [],
  target: { all: true },
  folderSizeLimit: null,
  ...changes,
})

/** An account whose commands are carried out again and again, as after crashes: plans stay, connections do not. */
export class Account {
  readonly server: ImapScriptServer
  plan: CommandPlan | null = null
  archiveFolder: string | null = null
  isLeaseFresh = true
  redeliver: CommandSettings['redeliver'] = async (_mailbox, _place, uids) => ({ count: uids.length, records: [] })

  constructor(server: ImapScriptServer) {
    this.server = server
  }

  async run(changes: Partial<MailboxCommand>): Promise<CommandOutcome> {
    const mailbox = await connectMailbox(this.server.config({ commandTimeoutMs: 1_000 }))
    try {
      const settings = {
        archiveFolder: this.archiveFolder,
        isLeaseFresh: () => this.isLeaseFresh,
        redeliver: this.redeliver,
      }
      const keep = async (plan: CommandPlan) => void (this.plan = JSON.parse(JSON.stringify(plan)) as CommandPlan)
      const memory = { plan: this.plan, keep, headers: [] }
      return (await runMailboxCommand(mailbox, commandWith(changes), settings, memory)).outcome
    } finally {
      await mailbox.close()
    }
  }

  subjects(folder: string): string[] {
    return this.server.folder(folder).messages.map(({ raw }) => /Subject: (.*)/.exec(raw)?.[1] ?? '')
  }
}

export const openAccount = async (t: TestContext, count: number, options: ImapServerOptions = {}): Promise<Account> => {
  const server = await startImapScriptServer(t, options)
  for (let n = 1; n <= count; n += 1) server.deliver(`Message-ID: <m${n}@x>\r\n${mail(`s${n}`)}`)
  return new Account(server)
}
