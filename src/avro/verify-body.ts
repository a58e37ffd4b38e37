/**
 * Proves that bytes are a body of a schema, before avsc decodes them.
 *
 * avsc trusts what it reads: a forged count allocates, a wrong block size sends its skipping elsewhere than its
 * reading, text is not checked, numbers may be cut off. What has passed here decodes in time and memory that are
 * linear in the body's length, and ends exactly where the body ends.
 */

import type { Type } from 'avsc'
import avro from 'avsc'

import { BodyCursor } from './body-cursor.ts'

type Step = (cursor: BodyCursor) => void
type RecordType = InstanceType<typeof avro.types.RecordType>

const { types } = avro

/** Reads the blocks of an array or a map (Avro specification, "Arrays"). */
const blocks =
  (path: string, item: Step): Step =>
  (cursor) => {
    for (let count = cursor.long(path); count !== 0; count = cursor.long(path)) {
      const size = count < 0 ? cursor.long(path) : null
      const start = cursor.position
      const items = Math.abs(count)
      cursor.enterBlock(path, items)
      for (let index = 0; index < items; index++) {
        const before = cursor.position
        item(cursor)
        if (cursor.position === before) cursor.fail(path, 'items without a byte of their own')
      }
      if (size !== null && cursor.position - start !== size) cursor.fail(path, 'a block of another size than it says')
    }
  }

const primitiveStep = (typeName: string, path: string): Step => {
  switch (typeName) {
    case 'null':
      return () => undefined
    case 'boolean':
      return (cursor) => cursor.boolean(path)
    case 'int':
      return (cursor) => cursor.int(path)
    case 'long':
      return (cursor) => void cursor.long(path)
    case 'float':
      return (cursor) => cursor.skip(path, 4)
    case 'double':
      return (cursor) => cursor.skip(path, 8)
    case 'bytes':
      return (cursor) => cursor.bytes(path)
    case 'string':
      return (cursor) => cursor.string(path)
    default:
      throw new Error(`no way to verify Avro type ${typeName}`)
  }
}

/** Each record type is compiled once, so that neither a type within itself nor one used everywhere costs more. */
class Compiler {
  readonly #records = new Map<Type, Step>()

  step(type: Type, path: string): Step {
    if (type instanceof types.RecordType) return this.#record(type)
    if (type instanceof types.ArrayType) return blocks(path, this.step(type.itemsType, path))
    if (type instanceof types.MapType) {
      const value = this.step(type.valuesType as Type, path)
      return blocks(path, (cursor) => {
        cursor.mapKey(path)
        value(cursor)
      })
    }
    if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType) {
      const branches = type.types.map((branch) => this.step(branch, path))
      return (cursor) => branches[cursor.choice(path, branches.length)]?.(cursor)
    }
    if (type instanceof types.EnumType) {
      const { length } = type.symbols
      return (cursor) => void cursor.choice(path, length)
    }
    if (type instanceof types.FixedType) return (cursor) => cursor.skip(path, type.size)
    return primitiveStep(type.typeName, path)
  }

  #record(type: RecordType): Step {
    const known = this.#records.get(type)
    if (known !== undefined) return known
    const name = type.name?.split('.').at(-1) ?? 'record'
    const steps: Step[] = []
    const step: Step = (cursor) => {
      cursor.enterRecord(name)
      for (const step of steps) step(cursor)
      cursor.leaveRecord()
    }
    this.#records.set(type, step)
    for (const field of type.fields) steps.push(this.step(field.type, `${name}.${field.name}`))
    return step
  }
}

/**
 * @returns a function that throws PosthornError RECORD_UNDECODABLE, naming record and field, unless the bytes from
 *   `start` to their end are exactly one value of the type.
 */
export const compileVerifier = (type: Type): ((bytes: Buffer, start: number) => void) => {
  const step = new Compiler().step(type, '')
  return (bytes, start) => {
    const cursor = new BodyCursor(bytes, start)
    step(cursor)
    cursor.end()
  }
}
