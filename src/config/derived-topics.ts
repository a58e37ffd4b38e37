/** Topics that nobody names but Posthorn, after the requests, so that two installations in one cluster do not share them. */
import type { TopicsConfig } from './config.ts'

/** Holds what the send workers must remember beyond offsets: `mail.send.requests` → `mail.send.state`. */
export const sendStateTopic = ({ sendRequests }: Pick<TopicsConfig, 'sendRequests'>): string =>
  `${sendRequests.replace(/\.requests$/, '')}.state`

/** What the send workers hand on to themselves: `mail.send.requests` → `mail.send.steps`. */
export const sendStepsTopic = ({ sendRequests }: Pick<TopicsConfig, 'sendRequests'>): string =>
  `${sendRequests.replace(/\.requests$/, '')}.steps`
