/**
 * Charsets of seven bits that shift between ASCII and two-byte characters: HZ (RFC 1843) and ISO-2022-KR (RFC 1557). Each
 * becomes the eight-bit charset with the same characters, which iconv-lite knows. Lines begin in ASCII.
 */
import iconv from 'iconv-lite'

const lf = 10
const cr = 13
const escape = 0x1b
const tilde = 0x7e

/** What stands at an offset instead of characters: how many bytes, the state after them, and a byte that they stand for. */
interface Control {
  length: number
  shifted: boolean
  byte?: number
}

type ReadControl = (bytes: Buffer, at: number, shifted: boolean) => Control | null

const isPairByte = (byte: number | undefined): boolean => byte !== undefined && byte > 0x20 && byte < 0x7f

const decodeShifted = (bytes: Buffer, charset: string, readControl: ReadControl): string => {
  const output = Buffer.allocUnsafe(bytes.length)
  let length = 0
  let shifted = false
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] as number
    if (byte === lf) shifted = false
    const control: Control | null =
      byte === tilde || byte === escape || byte === 0x0e || byte === 0x0f ? readControl(bytes, at, shifted) : null
    if (control !== null) {
      shifted = control.shifted
      if (control.byte !== undefined) output[length++] = control.byte
      at += control.length
    } else if (shifted && isPairByte(byte) && isPairByte(bytes[at + 1])) {
      output[length++] = byte | 0x80
      output[length++] = (bytes[at + 1] as number) | 0x80
      at += 2
    } else {
      output[length++] = byte
      at++
    }
  }
  return iconv.decode(output.subarray(0, length), charset)
}

/** `~{` and `~}` shift, `~~` is a tilde, and `~` at the end of a line joins it with the next. */
const readTilde: ReadControl = (bytes, at, shifted) => {
  const next = bytes[at + 1]
  if (bytes[at] !== tilde) return null
  if (next === (shifted ? 0x7d : 0x7b)) return { length: 2, shifted: !shifted }
  if (shifted) return null
  if (next === lf) return { length: 2, shifted }
  if (next === cr && bytes[at + 2] === lf) return { length: 3, shifted }
  return next === tilde ? { length: 2, shifted, byte: tilde } : null
}

/** Shift out and shift in; `ESC $ ) C` says once what they shift to. */
const readShift: ReadControl = (bytes, at, shifted) => {
  if (bytes[at] === escape) {
    const isDesignation = bytes[at + 1] === 0x24 && bytes[at + 2] === 0x29 && bytes[at + 3] === 0x43
    return isDesignation ? { length: 4, shifted } : null
  }
  return bytes[at] === tilde ? null : { length: 1, shifted: bytes[at] === 0x0e }
}

export const decodeHz = (bytes: Buffer): string => decodeShifted(bytes, 'gbk', readTilde)

export const decodeIso2022Kr = (bytes: Buffer): string => decodeShifted(bytes, 'cp949', readShift)
