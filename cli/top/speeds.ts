import type { MemberView, RunBrief } from '../../live/view.ts'

/** A speed is that of so many last seconds. */
const SECONDS = 10

interface Sample {
  images: number
  seconds: number
}

/** How fast each worker is, by how much it counts from one brief to the next; of one that is new, since it joined. */
export class Speeds {
  #samples = new Map<string, Sample[]>()

  take({ members }: RunBrief): void {
    this.#samples = new Map(
      members.map(({ name, images, secondsIn }) => {
        const earlier = this.#samples.get(name) ?? []
        const last = earlier.at(-1)
        // Who has joined again counts from nothing.
        const kept = last === undefined || last.images > images || last.seconds > secondsIn ? [] : earlier
        // One sample that is too old says where the last seconds began.
        const begin = Math.max(0, kept.findLastIndex(({ seconds }) => seconds <= secondsIn - SECONDS))
        return [name, [...kept.slice(begin), { images, seconds: secondsIn }]]
      }),
    )
  }

  /** @returns images a second; undefined where nobody can tell */
  of({ name, images, secondsIn }: MemberView): number | undefined {
    const [first] = this.#samples.get(name) ?? []
    if (first !== undefined && secondsIn > first.seconds) return (images - first.images) / (secondsIn - first.seconds)
    return secondsIn > 0 ? images / secondsIn : undefined
  }
}
