import { join } from 'node:path'
import type { EmbeddedOptions } from './embedded-servers.ts'

/** Where downloads are kept and come from, by the environment (pure). */
export const readCacheSettings = (
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): Pick<EmbeddedOptions, 'cacheDir' | 'localRepository' | 'mirror' | 'javaHome'> => ({
  cacheDir: env['POSTHORN_CACHE_DIR'] ?? join(env['XDG_CACHE_HOME'] ?? join(home, '.cache'), 'posthorn'),
  localRepository: join(home, '.m2', 'repository'),
  mirror: env['POSTHORN_MAVEN_REPOSITORY'] ?? null,
  javaHome: env['JAVA_HOME'] ?? null,
})
