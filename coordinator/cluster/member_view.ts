import type { MemberView } from '../../live/view.ts'
import type { Member } from '../contract/member.ts'
import type { Traffic } from '../exchange/reduction.ts'

/** Facts about a member that it does not report itself. */
export interface MemberFacts {
  /** Lanes or test blocks that it has been dealt and has not delivered. */
  owes: number[]
  /** Kind of round that these lanes or blocks belong to. */
  kind: MemberView['kind']
  draining: boolean
  /** Measured milliseconds per lane; undefined before the first measurement. */
  laneMs: number | undefined
  /** Number of its lanes that were counted. */
  lanes: number
  /** Number of images in these lanes. */
  images: number
  /** Bytes that it has exchanged with reducers in other processes. */
  traffic: Traffic
  /** Seconds since it joined. */
  secondsIn: number
}

/** Makes the view of a worker that people see. */
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
