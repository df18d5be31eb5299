import type { MemberView, RunBrief } from '../../live/view.ts'

/** Length of the time, up to now, over which a speed is measured. */
const SECONDS = 10

interface Sample {
  images: number
  seconds: number
}

/** Speed of each worker, from its count of images in successive briefs; for a new worker, the average since it joined. */
export class Speeds {
  #samples = new Map<string, Sample[]>()

  take({ members }: RunBrief): void {
    this.#samples = new Map(
      members.map(({ name, images, secondsIn }) => {
        const earlier = this.#samples.get(name) ?? []
        const last = earlier.at(-1)
        // A worker that has joined again counts from 0.
        const kept = last === undefined || last.images > images || last.seconds > secondsIn ? [] : earlier
        // One older sample is kept, since it marks where the last seconds began.
        const begin = Math.max(0, kept.findLastIndex(({ seconds }) => seconds <= secondsIn - SECONDS))
        return [name, [...kept.slice(begin), { images, seconds: secondsIn }]]
      }),
    )
  }

  /** @returns images a second; undefined if no time has passed yet */
  of({ name, images, secondsIn }: MemberView): number | undefined {
    const [first] = this.#samples.get(name) ?? []
    if (first !== undefined && secondsIn > first.seconds) return (images - first.images) / (secondsIn - first.seconds)
    return secondsIn > 0 ? images / secondsIn : undefined
  }
}
