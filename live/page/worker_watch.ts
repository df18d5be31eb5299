import type { MemberView } from '../view.ts'

export interface GoneWorker {
  member: MemberView
  since: Date
}

/** Number of workers that are still shown after they are gone. */
const GONE_SHOWN = 5
/** Length of the time over which a speed is measured: short enough to show changes, long enough not to jump. */
const WINDOW_SECONDS = 15

interface Sample {
  images: number
  /** Time since the worker joined, by the coordinator's clock. */
  secondsIn: number
}

/** Follows the workers of a run from one list of members to the next: how fast each is, and which are gone. */
export class WorkerWatch {
  readonly #samples = new Map<string, Sample[]>()
  #members: readonly MemberView[] = []
  #gone: GoneWorker[] = []

  see(members: readonly MemberView[], now: Date): void {
    if (members === this.#members) return
    const there = new Set(members.map(({ name }) => name))
    const missing = this.#members.filter(({ name }) => !there.has(name))
    for (const { name } of missing) this.#samples.delete(name)
    const gone = [...missing.map((member) => ({ member, since: now })), ...this.#gone.filter(({ member }) => !there.has(member.name))]
    this.#gone = gone.slice(0, GONE_SHOWN)
    for (const member of members) this.#sample(member)
    this.#members = members
  }

  get gone(): readonly GoneWorker[] {
    return this.#gone
  }

  /** Images a second of each worker; null while there are too few samples. */
  speeds(): Map<string, number | null> {
    return new Map([...this.#samples].map(([name, samples]) => [name, speedOf(samples)]))
  }

  #sample({ name, images, secondsIn }: MemberView): void {
    const samples = this.#samples.get(name) ?? []
    const last = samples.at(-1)
    // Smaller counts mean that the worker has joined anew under the same name.
    const fresh = last !== undefined && (secondsIn < last.secondsIn || images < last.images)
    const kept = fresh ? [] : samples.filter((sample) => secondsIn - sample.secondsIn <= WINDOW_SECONDS)
    this.#samples.set(name, [...kept, { images, secondsIn }])
  }
}

function speedOf(samples: readonly Sample[]): number | null {
  const [first] = samples
  const last = samples[samples.length - 1]
  const seconds = last.secondsIn - first.secondsIn
  return seconds > 0 ? (last.images - first.images) / seconds : null
}
