/** Whether a UID is in a sequence set (RFC 3501 9) without `*`. */
export const inUidSet = (set: string, uid: number): boolean =>
  set.split(',').some((part) => {
    const [first = 0, last = first] = part.split(':').map(Number)
    return uid >= first && uid <= last
  })
