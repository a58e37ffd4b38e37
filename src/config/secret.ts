import { inspect } from 'node:util'

/**
 * A value that must not be seen: a password, a key, a token.
 *
 * Printing, logging, serialising or concatenating it yields `[secret]`; only `reveal()` gives the value, so that the
 * places which read it can be found. The value is a private field: it is in no enumeration, clone or JSON.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
    Object.freeze(this)
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
