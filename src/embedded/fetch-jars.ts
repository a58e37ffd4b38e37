/**
 * Gets the jars of the embedded servers from Maven by their coordinates and keeps them in a cache. Only what has the
 * SHA-256 of the lock is ever used; a download that breaks off leaves nothing but a temporary file.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import download from 'mvn-artifact-download'
import { PosthornError } from '../errors.ts'
import { explainFailure } from './explain-failure.ts'
import jarLock from './jar-lock.json' with { type: 'json' }

export type JarSet = keyof typeof jarLock

interface Jar {
  groupId: string
  artifactId: string
  version: string
  classifier?: string
  bytes: number
  sha256: string
}

export interface FetchProgress {
  files: number
  bytes: number
  totalFiles: number
  totalBytes: number
}

export interface FetchOptions {
  cacheDir: string
  /** Of Maven itself: jars that are there already are copied. Null: not looked at. */
  localRepository: string | null
  /** Address of a mirror. Null: the download client's own default. */
  mirror: string | null
  onProgress: (progress: FetchProgress) => void
  signal: AbortSignal
}

const parallelDownloads = 6
const attempts = 3

const fileNameOf = ({ artifactId, version, classifier }: Jar): string =>
  `${artifactId}-${version}${classifier === undefined ? '' : `-${classifier}`}.jar`

const sha256Of = async (path: string): Promise<string | null> => {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(path), hash)
    return hash.digest('hex')
  } catch {
    return null
  }
}

/**
 * @returns the paths of the set's jars, in the lock's order
 * @throws PosthornError `ENVIRONMENT_UNSUITABLE`: no network, a full disk, a file that is not what it should be
 */
export const fetchJars = async (sets: readonly JarSet[], options: FetchOptions): Promise<Record<JarSet, string[]>> => {
  const folder = join(options.cacheDir, 'jars')
  await mkdir(folder, { recursive: true })
  const wanted = new Map<string, Jar>()
  for (const set of sets) for (const jar of jarLock[set] as Jar[]) wanted.set(fileNameOf(jar), jar)

  const missing: [string, Jar][] = []
  for (const [name, jar] of wanted) {
    // A whole file was put there by a rename: its size is proof enough not to read 110 MB at each start.
    const found = await stat(join(folder, name)).catch(() => null)
    if (found?.size !== jar.bytes) missing.push([name, jar])
  }
  const progress = {
    files: 0,
    bytes: 0,
    totalFiles: missing.length,
    totalBytes: missing.reduce((sum, [, { bytes }]) => sum + bytes, 0),
  }
  const queue = [...missing]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      options.signal.throwIfAborted()
      await obtain(folder, ...next, options)
      progress.files += 1
      progress.bytes += next[1].bytes
      options.onProgress({ ...progress })
    }
  }
  await Promise.all(Array.from({ length: parallelDownloads }, work))
  const pathsOf = (set: JarSet) => (jarLock[set] as Jar[]).map((jar) => join(folder, fileNameOf(jar)))
  return { kafka: pathsOf('kafka'), s3: pathsOf('s3'), mail: pathsOf('mail') }
}

const obtain = async (folder: string, name: string, jar: Jar, options: FetchOptions): Promise<void> => {
  const temporary = `.${name}.${randomUUID()}`
  const path = join(folder, temporary)
  try {
    if (!(await copyLocal(jar, path, options))) await downloadJar(folder, temporary, name, jar, options)
    await rename(path, join(folder, name))
  } finally {
    await rm(path, { force: true })
  }
}

const copyLocal = async (jar: Jar, path: string, { localRepository }: FetchOptions): Promise<boolean> => {
  if (localRepository === null) return false
  const local = join(localRepository, ...jar.groupId.split('.'), jar.artifactId, jar.version, fileNameOf(jar))
  if ((await sha256Of(local)) !== jar.sha256) return false
  return copyFile(local, path).then(
    () => true,
    (error: unknown) => {
      throw explainFailure(error, `copying ${fileNameOf(jar)}`)
    },
  )
}

const downloadJar = async (
  folder: string,
  temporary: string,
  name: string,
  jar: Jar,
  { mirror, signal }: FetchOptions,
): Promise<void> => {
  const artifact = { ...jar, extension: 'jar' }
  for (let attempt = 1; ; attempt += 1) {
    try {
      await download.default(artifact, folder, mirror ?? undefined, temporary)
      if ((await sha256Of(join(folder, temporary))) === jar.sha256) return
      throw new PosthornError('ENVIRONMENT_UNSUITABLE', `${name} is not the file that was expected (SHA-256 differs)`, {
        stage: 'start',
        action: 'Try again; if it stays so, look at the mirror or proxy that Maven artifacts come through.',
      })
    } catch (error) {
      if (attempt === attempts || signal.aborted) throw explainFailure(error, `downloading ${name}`)
    }
  }
}
