/** The configuration from the disk: the one place that reads its file and those that it names. */

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import { PosthornError } from '../errors.ts'
import { compileConfig } from './compile-config.ts'
import type { Config } from './config.ts'
import { readFailure } from './read-yaml.ts'

export const defaultConfigFile = 'posthorn.yaml'

/**
 * @param path Relative to the working directory; files that it names are relative to its own folder.
 * @throws PosthornError `CONFIG_UNREADABLE`, `CONFIG_INVALID`.
 */
export const loadConfig = (path: string, env: Readonly<Record<string, string | undefined>>): Config => {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new PosthornError('CONFIG_UNREADABLE', `${path}: the configuration can't be read (${readFailure(error)})`, {
      stage: 'configure',
      action: 'Name it with --config FILE, or create posthorn.yaml here; docs/configuration.md has an example.',
      cause: error,
    })
  }
  const folder = dirname(resolve(path))
  return compileConfig(text, {
    fileName: path,
    env,
    readFile: (name) => readFileSync(resolve(folder, name), 'utf8'),
  })
}
