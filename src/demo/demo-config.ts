/** The configuration of the demo: the same file that a user would write, for servers on this machine. */
import { stringify } from 'yaml'
import type { EmbeddedServers } from '../embedded/embedded-servers.ts'

export const demoUser = { address: 'demo@posthorn.example', password: 'demo' }
export const demoStorage = { bucket: 'mail', accessKeyId: 'demo', secretAccessKey: 'demo-secret' }
export const demoAccount = 'demo'

export const buildDemoConfig = ({ kafka, mail, s3 }: EmbeddedServers): string => {
  const auth = { user: demoUser.address, password: demoUser.password }
  // Plain connections: everything stays on the loopback interface.
  const server = { host: mail.host, security: 'none', allowPlaintextAuth: true }
  return stringify({
    kafka: { brokers: kafka.brokers, topics: { partitions: 4, replication: 1 } },
    storage: { endpoint: s3.endpoint, region: 'us-east-1', prefix: 'attachments', pathStyle: true, ...demoStorage },
    http: { port: 0 },
    accounts: {
      [demoAccount]: {
        smtp: { host: mail.host, port: mail.smtpPort, security: 'none', from: `Posthorn demo <${demoUser.address}>` },
        imap: { ...server, port: mail.imapPort, auth },
        receive: [{ folder: 'INBOX', start: 'earliest', poll: '5s' }],
        archiveFolder: 'Archive',
      },
    },
  })
}
