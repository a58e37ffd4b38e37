/**
 * What Posthorn asks of a schema registry (Confluent's REST interface, which Apicurio and Karapace offer too): the
 * schema of an id, and the id of a schema of ours under a subject.
 */

import type { RegistryConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import { createRegistryHttp, type RegistryAnswer } from './registry-http.ts'

/** `missing`: the subject has no version yet. `compatible`: it has others, which the registry lets this one follow. */
export type SubjectState =
  | { readonly state: 'registered'; readonly id: number }
  | { readonly state: 'compatible' | 'missing' }

export interface SchemaRegistry {
  /**
   * The Avro schema with this id, parsed JSON. Not cached: `createCodec` does that.
   *
   * @throws PosthornError RECORD_SCHEMA_UNKNOWN, REGISTRY_UNREACHABLE
   */
  schemaById(id: number): Promise<unknown>
  /**
   * Whether a schema is under a subject, or could be; changes nothing.
   *
   * @throws PosthornError REGISTRY_INCOMPATIBLE, with the registry's own reasons; REGISTRY_UNREACHABLE
   */
  inspect(subject: string, schema: string): Promise<SubjectState>
  /**
   * The id of a schema under a subject. A schema that is registered already is only looked up, so that a login that
   * may not write is enough; else it is checked against the latest version and registered.
   *
   * @throws PosthornError REGISTRY_INCOMPATIBLE, with the registry's own reasons; REGISTRY_UNREACHABLE
   */
  register(subject: string, schema: string): Promise<number>
  /** @throws PosthornError REGISTRY_UNREACHABLE, also where what answers is no registry */
  countSubjects(): Promise<number>
  /** Ends idle connections. */
  close(): void
}

const maxReasons = 5

const field = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null && name in body ? Reflect.get(body, name) : undefined

const schemaUnknown = (id: number, why: string, cause?: unknown): PosthornError =>
  new PosthornError('RECORD_SCHEMA_UNKNOWN', `the record names schema id ${id}: ${why}`, {
    stage: 'decode',
    action: 'Check that the producer uses the registry that is configured here.',
    cause,
  })

const parseSchema = (id: number, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw schemaUnknown(id, 'what the registry holds under it is not JSON', error)
  }
}

const incompatible = (subject: string, why: string): PosthornError =>
  new PosthornError('REGISTRY_INCOMPATIBLE', `the registry refuses this version's schema for ${subject}: ${why}`, {
    stage: 'publish',
    action:
      'Compare the latest version of the subject with `posthorn schemas show`; relax the compatibility of the subject, delete its versions, or use another topic name.',
  })

/** Confluent and Karapace give a list of messages, Apicurio one reason. */
const reasonsOf = (body: unknown): string => {
  const messages = field(body, 'messages')
  const reasons = (Array.isArray(messages) ? messages : [field(body, 'reason')]).filter(
    (reason) => typeof reason === 'string',
  )
  if (reasons.length === 0) return 'it is not compatible with the latest version'
  const more = reasons.length > maxReasons ? ` (and ${reasons.length - maxReasons} more)` : ''
  return `${reasons.slice(0, maxReasons).join('; ')}${more}`
}

const messageOf = ({ status, body }: RegistryAnswer): string => {
  const message = field(body, 'message')
  return typeof message === 'string' ? message : `it answers ${status}`
}

const bodyOf = (schema: string): object => ({ schema, schemaType: 'AVRO' })

const idIn = ({ status, body }: RegistryAnswer): number | null => {
  const id = field(body, 'id')
  return status === 200 && typeof id === 'number' ? id : null
}

/** Nothing is asked until the first call. */
export const createSchemaRegistry = (config: RegistryConfig, timeoutMs = 10_000): SchemaRegistry => {
  const http = createRegistryHttp(config, timeoutMs)

  const inspect = async (subject: string, schema: string): Promise<SubjectState> => {
    const name = encodeURIComponent(subject)
    const id = idIn(await http.request('POST', `/subjects/${name}`, bodyOf(schema), 'publish'))
    if (id !== null) return { state: 'registered', id }
    const check = `/compatibility/subjects/${name}/versions/latest?verbose=true`
    const { status, body } = await http.request('POST', check, bodyOf(schema), 'publish')
    if (field(body, 'is_compatible') === false) throw incompatible(subject, reasonsOf(body))
    // 404: the subject has no version yet. Other refusals are repeated, with their reason, by the registration.
    return { state: status === 404 ? 'missing' : 'compatible' }
  }

  return {
    schemaById: async (id) => {
      const answer = await http.request('GET', `/schemas/ids/${id}`, null, 'decode')
      const schema = field(answer.body, 'schema')
      if (answer.status !== 200 || typeof schema !== 'string') throw schemaUnknown(id, 'the registry does not know it')
      // Left out where it is AVRO.
      if (!['AVRO', undefined].includes(field(answer.body, 'schemaType') as string | undefined))
        throw schemaUnknown(id, 'what the registry holds under it is not an Avro schema')
      return parseSchema(id, schema)
    },
    inspect,
    register: async (subject, schema) => {
      const found = await inspect(subject, schema)
      if (found.state === 'registered') return found.id
      const path = `/subjects/${encodeURIComponent(subject)}/versions`
      const answer = await http.request('POST', path, bodyOf(schema), 'publish')
      const id = idIn(answer)
      if (id === null) throw incompatible(subject, messageOf(answer))
      return id
    },
    countSubjects: async () => {
      const { body, status } = await http.request('GET', '/subjects', null, 'start')
      if (Array.isArray(body)) return body.length
      throw new PosthornError('REGISTRY_UNREACHABLE', `${config.url}/subjects answers ${status} and no list`, {
        stage: 'start',
        action: 'Check avro.registry.url: it must be the root of a Confluent-compatible interface.',
      })
    },
    close: () => http.close(),
  }
}
