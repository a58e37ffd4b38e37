/** UTF-7 (RFC 2152). Any byte that is not base64 ends a shift, so that each line stands for itself. */
const plus = 0x2b
const minus = 0x2d

const values = new Int8Array(256).fill(-1)
'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.split('').forEach((char, value) => {
  values[char.charCodeAt(0)] = value
})

export const decodeUtf7 = (bytes: Buffer): string => {
  const units = Buffer.allocUnsafe(bytes.length * 2)
  let length = 0
  const put = (unit: number): void => {
    units[length++] = unit
    units[length++] = unit >> 8
  }
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at++] as number
    if (byte !== plus) {
      put(byte < 0x80 ? byte : 0xfffd)
      continue
    }
    if (bytes[at] === minus) {
      put(plus)
      at++
      continue
    }
    let bits = 0
    let count = 0
    const start = at
    for (let value = values[bytes[at] ?? 0] as number; value >= 0; value = values[bytes[at] ?? 0] as number) {
      bits = ((bits << 6) | value) & 0x3fffff
      count += 6
      at++
      if (count < 16) continue
      count -= 16
      put((bits >> count) & 0xffff)
    }
    // A plus sign by itself is one.
    if (at === start) put(plus)
    else if (bytes[at] === minus) at++
  }
  return units.toString('utf16le', 0, length)
}
