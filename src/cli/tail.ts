import { resolveTopic } from './topic-names.ts'
import { parseCount } from './parse-options.ts'
import { brokersOption, jsonOption } from './shared-options.ts'
import { showRecord } from './show-record.ts'
import type { Register } from './context.ts'

interface TailOptions {
  fromBeginning?: boolean
  max?: number
  exitAtEnd?: boolean
}

export const registerTail: Register = (program, context) => {
  program
    .command('tail')
    .description('print the records of a topic as lines of JSON, new ones as they come')
    .argument('<topic>', 'inbound, sendResults, dead-letters, … as in kafka.topics, or the full name of a topic')
    .option('--from-beginning', 'start with the oldest record')
    .option('--exit-at-end', 'print what is there now, from the beginning, and end')
    .option('--max <count>', 'end after so many records', parseCount)
    .addOption(brokersOption())
    .addOption(jsonOption())
    .action(async (name: string, { fromBeginning, exitAtEnd, max }: TailOptions) => {
      const config = context.config()
      const topic = resolveTopic(name, config)
      const { deadLetters } = config.kafka.topics
      const untilEnd = exitAtEnd === true
      const from = fromBeginning === true || untilEnd ? 'beginning' : 'latest'
      const reader = await context.kafka().read({ topic, from, untilEnd })
      if (!untilEnd) context.progress(`reading ${topic}; Ctrl-C ends it`)
      let count = 0
      for await (const record of reader) {
        await context.printJson(await showRecord(record, context.codec(), topic === deadLetters))
        count += 1
        if (count === max) break
      }
    })
}
