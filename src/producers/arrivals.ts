import type { Mailbox } from '../mail/mailbox.ts'
import { sliceUids } from './select-messages.ts'

/** Of messages of the open folder, by UID. */
export const fingerprintsOf = async (mailbox: Mailbox, uids: readonly number[]): Promise<Map<number, string>> => {
  const fingerprints = new Map<number, string>()
  for (const slice of sliceUids(uids)) {
    for (const { uid, fingerprint } of await mailbox.fetchSummaries(slice)) fingerprints.set(uid, fingerprint)
  }
  return fingerprints
}

/**
 * What a folder has got lately, so that a copy is found whose answer was lost or does not tell its UID (RFC 4315 3: no
 * COPYUID). Each is given once: of two messages with the same fingerprint one copy proves one.
 */
export class Arrivals {
  readonly #byFingerprint = new Map<string, number[]>()
  #count = 0

  /** Leaves `folder` open. @param fromUid what was there before has lower UIDs */
  static async read(mailbox: Mailbox, folder: string, fromUid: number): Promise<Arrivals> {
    const arrivals = new Arrivals()
    await mailbox.open(folder, { readOnly: true })
    const uids = await mailbox.searchUids({}, fromUid)
    const fingerprints = await fingerprintsOf(mailbox, uids)
    for (const uid of uids) {
      const fingerprint = fingerprints.get(uid)
      if (fingerprint === undefined) continue
      const same = arrivals.#byFingerprint.get(fingerprint)
      if (same === undefined) arrivals.#byFingerprint.set(fingerprint, [uid])
      else same.push(uid)
      arrivals.#count += 1
    }
    return arrivals
  }

  /** So many have not been taken. */
  get count(): number {
    return this.#count
  }

  /** @returns the UID of one with this fingerprint; null: there is none (any more) */
  take(fingerprint: string | undefined): number | null {
    const uid = fingerprint === undefined ? undefined : this.#byFingerprint.get(fingerprint)?.shift()
    if (uid === undefined) return null
    this.#count -= 1
    return uid
  }
}
