import type { MemberView } from '../../live/view.ts'
import type { Member } from '../contract/member.ts'
import type { Traffic } from '../exchange/reduction.ts'

/** What is known of a member beside what it says of itself. */
export interface MemberFacts {
  /** Lanes or blocks that it is to deliver, and of what. */
  owes: number[]
  kind: MemberView['kind']
  draining: boolean
  /** Undefined as long as none is measured. */
  laneMs: number | undefined
  /** Lanes counted of it, and their images. */
  lanes: number
  images: number
  /** What it exchanged with reducers in other processes. */
  traffic: Traffic
  secondsIn: number
}

/** A worker, for people. */
export function memberView(member: Member, { owes, kind, draining, laneMs, lanes, images, traffic, secondsIn }: MemberFacts): MemberView {
  return {
    name: member.name,
    engine: member.facts?.engine.version ?? '',
    device: member.facts?.engine.device ?? '',
    state: draining ? 'draining' : owes.length > 0 ? 'computing' : 'idle',
    kind: owes.length > 0 ? kind : null,
    owes,
    lanes,
    images,
    laneSeconds: laneMs === undefined ? null : laneMs / 1000,
    residentBytes: member.residentBytes,
    receivedBytes: member.bytesReceived + traffic.received,
    sentBytes: member.bytesSent + traffic.sent,
    secondsIn,
  }
}
