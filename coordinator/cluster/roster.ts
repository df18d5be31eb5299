import type { InputFacts } from '../../shared/data/input_fingerprint.ts'
import type { RemoteSpans } from '../../shared/trace/remote_spans.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { CoordinatorMessage } from '../../shared/wire/messages.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import type { Member } from '../contract/member.ts'
import type { Traffic } from '../exchange/reduction.ts'
import { memberView, type MemberFacts } from './member_view.ts'

/** A member, with what the cluster keeps about it. */
interface Place {
  member: Member
  /** Time of joining, in milliseconds on a monotonic clock. */
  joinedAt: number
  spans: RemoteSpans
  /** Number of its lanes that were counted. */
  lanes: number
  /** Number of images in these lanes. */
  images: number
}

export interface RosterParts {
  /** Milliseconds on a monotonic clock. */
  now: () => number
  /** Returns the bytes that a member has exchanged with reducers in other processes. */
  trafficOf: (member: Member) => Traffic
}

/** Number of names that are kept of the workers with the same fingerprint. */
const NAMES_SHOWN = 8
/** Number of names that are kept of all workers together: whoever makes up fingerprints fills no disk with them. */
const MOST_NAMES = 256

/** The present workers, by name, and the numbers of bytes and the fingerprints of those that have left. */
export class Roster {
  /**
   * Numerics fingerprints by name of worker, of workers that have left too; a few names of each, since names can be new each time. It has no
   * prototype, so that any name is one.
   */
  readonly fingerprints = Object.create(null) as Record<string, string>
  readonly #inputs = new Map<string, InputFacts>()
  readonly #parts: RosterParts
  /** Members by name, in order of joining. */
  readonly #places = new Map<string, Place>()
  readonly #bytesOfTheGone: Traffic = { received: 0, sent: 0 }

  constructor(parts: RosterParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#places.size
  }

  add(member: Member, spans: RemoteSpans): void {
    this.#places.set(member.name, { member, joinedAt: this.#parts.now(), spans, lanes: 0, images: 0 })
    const fingerprint = member.facts?.fingerprint ?? ''
    const all = Object.values(this.fingerprints)
    const alike = all.filter((other) => other === fingerprint).length
    if (member.name in this.fingerprints || (alike < NAMES_SHOWN && all.length < MOST_NAMES)) this.fingerprints[member.name] = fingerprint
    const input = member.facts?.input
    if (input !== undefined && this.#inputs.size < MOST_NAMES) this.#inputs.set(`${input.fingerprint} ${input.versions}`, input)
  }

  /** @returns false if the member is not present; another one may have its name by now */
  remove(member: Member): boolean {
    if (!this.has(member)) return false
    this.#places.delete(member.name)
    const { received, sent } = this.#bytesOf(member)
    this.#bytesOfTheGone.received += received
    this.#bytesOfTheGone.sent += sent
    return true
  }

  /** The present members, in order of joining. */
  get members(): Member[] {
    return [...this.#places.values()].map(({ member }) => member)
  }

  has(member: Member): boolean {
    return this.#places.get(member.name)?.member === member
  }

  named(worker: string): Member | undefined {
    return this.#places.get(worker)?.member
  }

  /** Returns the spans that come from a member; undefined if it is not present. */
  spansOf(member: Member): RemoteSpans | undefined {
    return this.has(member) ? this.#places.get(member.name)?.spans : undefined
  }

  send(worker: string, message: CoordinatorMessage): void {
    this.named(worker)?.send(message)
  }

  evict(worker: string, reason: string): void {
    this.named(worker)?.evict(reason)
  }

  /** Counts lanes that a worker has delivered. */
  count(worker: string, lanes: readonly LaneReport[]): void {
    const place = this.#places.get(worker)
    if (place === undefined) return
    place.lanes += lanes.length
    place.images += lanes.reduce((sum, { samples }) => sum + samples, 0)
  }

  /** Asks members for the time on their clocks, if it is time to. */
  probeClocks(): void {
    for (const { spans } of this.#places.values()) spans.probe()
  }

  /** @param doing returns what a worker is doing */
  status(doing: (worker: string) => Pick<MemberFacts, 'owes' | 'kind' | 'draining' | 'laneMs'>): Omit<ClusterStatus, 'workersWanted' | 'waiting' | 'totals' | 'engine'> {
    const places = [...this.#places.values()]
    const bytes = [this.#bytesOfTheGone, ...places.map(({ member }) => this.#bytesOf(member))]
    return {
      workers: places.length,
      metricsTargets: places.flatMap(({ member: { facts } }) => (facts === undefined || facts.metricsAddress === '' ? [] : [facts.metricsAddress])),
      members: places.map(({ member, joinedAt, lanes, images }) => memberView(member, {
        ...doing(member.name), lanes, images, traffic: this.#parts.trafficOf(member), secondsIn: (this.#parts.now() - joinedAt) / 1000,
      })),
      fingerprints: { ...this.fingerprints },
      inputs: [...this.#inputs.values()],
      bytesReceived: bytes.reduce((sum, { received }) => sum + received, 0),
      bytesSent: bytes.reduce((sum, { sent }) => sum + sent, 0),
    }
  }

  #bytesOf(member: Member): Traffic {
    const { received, sent } = this.#parts.trafficOf(member)
    return { received: member.bytesReceived + received, sent: member.bytesSent + sent }
  }
}
