import type { LaneTree } from '../../shared/lanes/lane_tree.ts'
import type { StepPosition } from '../../shared/lanes/sample_schedule.ts'
import type { Member } from '../contract/member.ts'
import type { Opinion } from '../dealing/check_dealer.ts'
import type { Deposit, WholePartial } from '../exchange/range_reducer.ts'

/** What one membership has put into the sum of a step, under one node of the lane tree. */
export interface SentSum {
  member: Member
  node: number
  /** Lanes under the node. */
  lanes: number[]
  parts: Deposit[]
  /** True once all of it has come, with the reports of its lanes. */
  whole: boolean
  /** True if its worker reports a lane that is not finite. */
  notFinite: boolean
  /** Number of its check; undefined if it is not checked. */
  check: number | undefined
}

/** What was sent in one step, and when its lanes were dealt. */
export class SentSums {
  readonly at: StepPosition
  readonly round: number
  /** Key of the digests; empty if there are none. */
  readonly key: string
  /** Identities whose results came too soon. */
  readonly hasty = new Set<string>()
  /** Sums that are not finite, as another identity has found too; `exact`: with the same bits. */
  readonly diverged: { sum: SentSum; exact: boolean }[] = []
  /** True if nobody was there to compute one of them again. */
  missed = false
  readonly #tree: LaneTree
  readonly #sums: SentSum[] = []
  /** What each session is sending of each node. */
  readonly #coming = new Map<string, SentSum>()
  /** Time at which each session was dealt each lane last. */
  readonly #dealt = new Map<string, Map<number, number>>()

  constructor(at: StepPosition, round: number, key: string, tree: LaneTree) {
    this.at = at
    this.round = round
    this.key = key
    this.#tree = tree
  }

  get all(): SentSum[] {
    return this.#sums
  }

  dealt(session: string, lanes: readonly number[], now: number): void {
    const dealt = this.#dealt.get(session) ?? new Map<number, number>()
    this.#dealt.set(session, dealt)
    for (const lane of lanes) dealt.set(lane, now)
  }

  /** Returns the time at which the first of a sum's lanes was dealt. */
  dealtAt({ member: { id }, lanes }: SentSum): number {
    return Math.min(...lanes.map((lane) => this.#dealt.get(id)?.get(lane) ?? Number.POSITIVE_INFINITY))
  }

  /** Takes the digest of a part of what a member sends of a node. A part that came before is one of another sum, which was computed again. */
  deposit(member: Member, deposit: Deposit): void {
    const sum = this.#comingFrom(member, deposit.node)
    if (sum.parts.some(({ begin }) => begin === deposit.begin)) this.#end(sum)
    this.#comingFrom(member, deposit.node).parts.push(deposit)
  }

  /** Takes the news that all of a member's partial has come. */
  whole(member: Member, { node, lanes }: Pick<WholePartial, 'node' | 'lanes'>): SentSum {
    const sum = this.#comingFrom(member, node)
    this.#end(sum)
    return Object.assign(sum, { whole: true, notFinite: lanes.some(({ notFinite }) => notFinite) })
  }

  #comingFrom(member: Member, id: number): SentSum {
    const key = keyOf(member, id)
    const known = this.#coming.get(key)
    if (known !== undefined) return known
    const { begin, end } = this.#tree.nodes[id]
    const sum: SentSum = { member, node: id, lanes: Array.from({ length: end - begin }, (_, i) => begin + i), parts: [], whole: false, notFinite: false, check: undefined }
    this.#coming.set(key, sum)
    this.#sums.push(sum)
    return sum
  }

  #end({ member, node }: SentSum): void {
    this.#coming.delete(keyOf(member, node))
  }
}

function keyOf({ id }: Member, node: number): string {
  return `${id}/${node}`
}

/** Returns what a worker has said by sending a sum. */
export function opinionOf({ parts, notFinite }: SentSum): Opinion {
  return { digests: parts.map(({ digest }) => digest), notFinite }
}

/** Formats an opinion for people. */
export function shownOpinion({ digests, notFinite }: Opinion): string {
  return notFinite ? 'not finite' : digests.join(' ') || 'finite'
}

/** Names the arithmetic of a worker: workers of the same compute the same bits. */
export function arithmeticOf({ facts }: Member): string {
  return [facts?.engine.kind, facts?.fingerprint, facts?.input.fingerprint, facts?.input.versions].join()
}

export function laneNames(lanes: readonly number[]): string {
  return lanes.length === 1 ? `lane ${lanes[0]}` : `lanes ${lanes[0]} to ${lanes[lanes.length - 1]}`
}
