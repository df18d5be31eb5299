import { Counter, Gauge, type Registry } from 'prom-client'
import type { MemberView } from '../../live/view.ts'
import type { ClusterStatus } from '../contract/cluster.ts'

/** Metrics of the cluster, read at each scrape. The series of a worker disappear when it leaves. */
export class ClusterMetrics {
  constructor(registry: Registry, status: () => ClusterStatus | undefined) {
    const registers = [registry]
    const asked = (name: string, help: string, value: (now: ClusterStatus | undefined) => number): Gauge =>
      new Gauge({
        name, help, registers,
        collect() {
          this.set(value(status()))
        },
      })
    const traffic = (name: string, help: string, value: (now: ClusterStatus) => number): Counter =>
      new Counter({
        name, help, registers,
        collect() {
          const now = status()
          if (now === undefined) return
          this.reset()
          this.inc(value(now))
        },
      })
    const memberGauge = (name: string, help: string, value: (member: MemberView) => number | null): Gauge =>
      new Gauge({
        name, help, labelNames: ['worker'], registers,
        collect() {
          this.reset()
          for (const member of status()?.members ?? []) this.set({ worker: member.name }, value(member) ?? Number.NaN)
        },
      })
    const memberCounter = (name: string, help: string, value: (member: MemberView) => number): Counter =>
      new Counter({
        name, help, labelNames: ['worker'], registers,
        collect() {
          this.reset()
          for (const member of status()?.members ?? []) this.inc({ worker: member.name }, value(member))
        },
      })

    new Gauge({
      name: 'herd_workers', help: 'Workers that are in: those that owe units (computing), those that do not (idle), and those that leave (draining).', labelNames: ['state'], registers,
      collect() {
        const members = status()?.members ?? []
        for (const state of ['computing', 'idle', 'draining'] as const) this.set({ state }, members.filter((member) => member.state === state).length)
      },
    })
    asked('herd_waiting_for_workers', '1 while too few workers are in to begin, or none to go on with.', (now) => (now?.waiting === true ? 1 : 0))
    traffic('herd_received_bytes_total', 'Tensor bytes received from workers.', (now) => now.bytesReceived)
    traffic('herd_sent_bytes_total', 'Tensor and image bytes sent to workers.', (now) => now.bytesSent)
    memberCounter('herd_member_lanes_total', "A worker's lanes that were counted since it joined.", (member) => member.lanes)
    memberCounter('herd_member_images_total', "Training images of a worker's lanes that were counted since it joined.", (member) => member.images)
    memberGauge('herd_member_lane_seconds', "A worker's time for a lane, as it was measured last; NaN before.", (member) => member.laneSeconds)
    memberGauge('herd_member_resident_memory_bytes', 'Resident memory of a worker with its compute process.', (member) => member.residentBytes)
    memberGauge('herd_member_owed_units', 'Lanes or test blocks that a worker has been dealt and has not delivered.', (member) => member.owes.length)
    memberCounter('herd_member_received_bytes_total', 'Tensor bytes received from a worker since it joined.', (member) => member.receivedBytes)
    memberCounter('herd_member_sent_bytes_total', 'Tensor and image bytes sent to a worker since it joined.', (member) => member.sentBytes)
  }
}
