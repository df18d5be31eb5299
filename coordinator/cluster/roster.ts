import type { RemoteSpans } from '../../shared/trace/remote_spans.ts'
import type { LaneReport } from '../../shared/lanes/lane_report.ts'
import type { CoordinatorMessage } from '../../shared/wire/messages.ts'
import type { ClusterStatus } from '../contract/cluster.ts'
import type { Member } from '../contract/member.ts'
import type { Traffic } from '../exchange/reduction.ts'
import { memberView, type MemberFacts } from './member_view.ts'

/** What the cluster keeps of a member. */
interface Place {
  member: Member
  /** In milliseconds. */
  joinedAt: number
  spans: RemoteSpans
  /** Lanes counted of it, and their images. */
  lanes: number
  images: number
}

export interface RosterParts {
  /** Milliseconds on a clock that only goes forward. */
  now: () => number
  /** What a member exchanged with reducers in other processes. */
  trafficOf: (member: Member) => Traffic
}

/** The workers that are in, by name, and what those that are gone have left: their bytes and fingerprints. */
export class Roster {
  /** Numerics fingerprint of each worker that took part. */
  readonly fingerprints: Record<string, string> = {}
  readonly #parts: RosterParts
  /** In order of joining. */
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
    this.fingerprints[member.name] = member.facts?.fingerprint ?? ''
  }

  /** @returns false when the member is not in: another one may have its name by now */
  remove(member: Member): boolean {
    if (!this.has(member)) return false
    this.#places.delete(member.name)
    const { received, sent } = this.#bytesOf(member)
    this.#bytesOfTheGone.received += received
    this.#bytesOfTheGone.sent += sent
    return true
  }

  has(member: Member): boolean {
    return this.#places.get(member.name)?.member === member
  }

  named(worker: string): Member | undefined {
    return this.#places.get(worker)?.member
  }

  /** Spans of a member; undefined when it is not in. */
  spansOf(member: Member): RemoteSpans | undefined {
    return this.has(member) ? this.#places.get(member.name)?.spans : undefined
  }

  send(worker: string, message: CoordinatorMessage): void {
    this.named(worker)?.send(message)
  }

  evict(worker: string, reason: string): void {
    this.named(worker)?.evict(reason)
  }

  /** Counts lanes of a worker. */
  count(worker: string, lanes: readonly LaneReport[]): void {
    const place = this.#places.get(worker)
    if (place === undefined) return
    place.lanes += lanes.length
    place.images += lanes.reduce((sum, { samples }) => sum + samples, 0)
  }

  /** Asks members for their time, where it is time to. */
  probeClocks(): void {
    for (const { spans } of this.#places.values()) spans.probe()
  }

  /** @param doing tells what a worker is at */
  status(doing: (worker: string) => Pick<MemberFacts, 'owes' | 'kind' | 'draining' | 'laneMs'>): Omit<ClusterStatus, 'workersWanted' | 'waiting' | 'totals'> {
    const places = [...this.#places.values()]
    const bytes = [this.#bytesOfTheGone, ...places.map(({ member }) => this.#bytesOf(member))]
    return {
      workers: places.length,
      metricsTargets: places.flatMap(({ member: { facts } }) => (facts === undefined || facts.metricsAddress === '' ? [] : [facts.metricsAddress])),
      members: places.map(({ member, joinedAt, lanes, images }) => memberView(member, {
        ...doing(member.name), lanes, images, traffic: this.#parts.trafficOf(member), secondsIn: (this.#parts.now() - joinedAt) / 1000,
      })),
      engine: places[0]?.member.facts?.engine,
      fingerprints: this.fingerprints,
      bytesReceived: bytes.reduce((sum, { received }) => sum + received, 0),
      bytesSent: bytes.reduce((sum, { sent }) => sum + sent, 0),
    }
  }

  #bytesOf(member: Member): Traffic {
    const { received, sent } = this.#parts.trafficOf(member)
    return { received: member.bytesReceived + received, sent: member.bytesSent + sent }
  }
}
