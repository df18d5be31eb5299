import type { Identity } from '../contract/member.ts'

/** An identity that was put out of a run for good, and why. */
export interface Ban extends Identity {
  /** Number of the step at which it was put out. */
  step: number
  reason: string
}

/** The identities that were put out of a run, for as long as the run lasts, unless its operator lets them in again. */
export class Bans {
  readonly #keep: (bans: readonly Ban[]) => void
  #bans: readonly Ban[]

  /**
   * @param bans those of before
   * @param keep keeps all of them, so that a run that is resumed still has them
   */
  constructor(bans: readonly Ban[] = [], keep: (bans: readonly Ban[]) => void = () => undefined) {
    this.#bans = bans
    this.#keep = keep
  }

  /** Puts an identity out: all of its members go, and none of it is let in again. */
  ban({ identity, identityBy }: Identity, { step, reason }: { step: number; reason: string }): void {
    if (this.exclusionOf({ identity, identityBy }) !== undefined) return
    this.#bans = [...this.#bans, { identity, identityBy, step, reason }]
    this.#keep(this.#bans)
  }

  /** Takes the list as the run's operator has changed it. */
  replace(bans: readonly Ban[]): void {
    this.#bans = bans
  }

  /**
   * Returns why an identity is out; undefined if it is not. The ban of a name that somebody chose concerns nobody with proof of that name:
   * otherwise whoever lies could do so in another's name.
   */
  exclusionOf({ identity, identityBy }: Identity): string | undefined {
    const ban = this.#bans.find((each) => each.identity === identity && (each.identityBy !== 'name' || identityBy === 'name'))
    return ban === undefined ? undefined : `${identity} was put out of this run at step ${ban.step}: ${ban.reason.replace(/\.$/, '')}.`
  }
}
