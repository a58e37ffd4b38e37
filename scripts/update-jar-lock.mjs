// Writes src/embedded/jar-lock.json: every jar of the embedded servers with its SHA-256. Needs Maven; run it when a
// version below changes. `posthorn demo` and the tests only read the lock.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'

const sets = {
  kafka: [
    { groupId: 'org.apache.kafka', artifactId: 'kafka_2.13', version: '4.4.0' },
    { groupId: 'org.apache.logging.log4j', artifactId: 'log4j-slf4j-impl', version: '2.25.5' },
  ],
  s3: [{ groupId: 'org.gaul', artifactId: 's3proxy', version: '4.1.0', classifier: 'jar-with-dependencies' }],
  mail: [{ groupId: 'com.icegreen', artifactId: 'greenmail-standalone', version: '2.1.13' }],
}

const toXml = ({ groupId, artifactId, version, classifier }) => `<dependency>
  <groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version>
  ${classifier ? `<classifier>${classifier}</classifier>` : ''}
  ${classifier || artifactId.endsWith('standalone') ? '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>' : ''}
</dependency>`

/** With `useRepositoryLayout` a jar's folder tells its coordinates. */
const toCoordinates = (path) => {
  const parts = path.split(sep)
  const file = parts.pop()
  const version = parts.pop()
  const artifactId = parts.pop()
  const classifier = file.slice(`${artifactId}-${version}`.length, -'.jar'.length).replace(/^-/, '')
  return { groupId: parts.join('.'), artifactId, version, ...(classifier === '' ? {} : { classifier }) }
}

const folder = mkdtempSync(join(tmpdir(), 'posthorn-jars-'))
const lock = {}
try {
  for (const [name, roots] of Object.entries(sets)) {
    const pom = join(folder, `${name}.xml`)
    const target = join(folder, name)
    writeFileSync(
      pom,
      `<project><modelVersion>4.0.0</modelVersion><groupId>posthorn</groupId><artifactId>${name}</artifactId>
       <version>1</version><dependencies>${roots.map(toXml).join('')}</dependencies></project>`,
    )
    const goal = ['-q', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime']
    execFileSync('mvn', [...goal, `-DoutputDirectory=${target}`, '-Dmdep.useRepositoryLayout=true'], {
      stdio: 'inherit',
    })
    lock[name] = readdirSync(target, { recursive: true })
      .filter((path) => path.endsWith('.jar'))
      .sort()
      .map((path) => {
        const bytes = readFileSync(join(target, path))
        const sha256 = createHash('sha256').update(bytes).digest('hex')
        return { ...toCoordinates(path), bytes: bytes.length, sha256 }
      })
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
writeFileSync(new URL('../src/embedded/jar-lock.json', import.meta.url), `${JSON.stringify(lock, null, 1)}\n`)
for (const [name, jars] of Object.entries(lock)) console.log(name, jars.length, 'jars')
