/** README.md, followed to the letter: what it says to type while the demo is up, and its program in Python. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { demoFolder, untilLine } from '../support/demo.ts'
import { codeBlocks, readDocument, root } from '../support/markdown.ts'
import { pythonWith } from '../support/python.ts'

const run = promisify(execFile)
const readme = readDocument('README.md')

const blockWith = (language: string, text: string): string => {
  const block = codeBlocks(readme).find((one) => one.language === language && one.code.includes(text))
  return block?.code ?? assert.fail(`no block in ${language} has ${text}`)
}

test('what the README says to type works while the demo is up, and Ctrl-C ends it', async (t) => {
  const { folder, env, start, untilNoneRuns } = await demoFolder(t)
  await copyFile(join(root, 'README.md'), join(folder, 'README.md'))
  await symlink(join(root, 'schemas'), join(folder, 'schemas'))
  // In a clone `npx posthorn` is the clone's own bin.
  const npx = join(folder, 'npx')
  await writeFile(npx, `#!/bin/sh\nshift\nexec "${process.execPath}" "${join(root, 'bin/posthorn.js')}" "$@"\n`)
  await chmod(npx, 0o755)
  const demo = start([])
  demo.stderr.resume()
  await untilLine(demo.stdout, 'Ctrl-C ends everything')

  const type = async (line: string): Promise<string> => {
    const { stdout } = await run('sh', ['-ec', line], {
      cwd: folder,
      env: { ...env, PATH: `${folder}:${env['PATH']}` },
    })
    return stdout
  }
  const outputs = new Map<string, string>()
  const lines = blockWith('sh', 'npx posthorn send')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  for (const line of lines) outputs.set(/posthorn (\w+)/.exec(line)?.[1] ?? '', await type(line))
  assert.deepEqual([...outputs.keys()], ['send', 'tail', 'mailbox', 'check'])
  assert.match(outputs.get('send') ?? '', /"status":"DELIVERED"/)
  assert.match(outputs.get('tail') ?? '', /"subject":"Hi".*"fileName":"README.md"/)
  assert.match(outputs.get('mailbox') ?? '', /"status":"DONE".*"toFolder":"Done"/)

  const config = parse(await readFile(join(folder, '.posthorn/demo.yaml'), 'utf8')) as { kafka: { brokers: string[] } }
  const program = join(folder, 'send.py')
  const code = blockWith('python', 'KafkaProducer')
  await writeFile(
    program,
    `import os; os.chdir(${JSON.stringify(folder)})\n${code.replace('127.0.0.1:9092', config.kafka.brokers[0] ?? '')}`,
  )
  await (
    await pythonWith('fastavro==1.13.1', 'kafka-python==3.0.12')
  )(program, [], '')
  const results = await type('npx posthorn tail sendResults --from-beginning --max 4 --config .posthorn/demo.yaml')
  assert.match(results, /"id":"order-4711".*"status":"DELIVERED"/)

  const exited = once(demo, 'exit')
  demo.kill('SIGINT')
  assert.deepEqual(await exited, [0, null])
  await untilNoneRuns()
})
