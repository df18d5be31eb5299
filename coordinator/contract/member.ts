import type { z } from 'zod'
import type { Span } from '../../shared/trace/span.ts'
import type { MemoryFile } from '../../shared/kit/memory_file.ts'
import type { CoordinatorMessage, EvaluationResult, GradientChunk, LaneComputed, WeightsChunk } from '../../shared/wire/messages.ts'
import type { engineInfoSchema } from '../../shared/engine/engine_info.ts'

/** What a worker has told of itself. */
export interface WorkerFacts {
  engine: z.infer<typeof engineInfoSchema>
  fingerprint: string
  datasetDigest: string
  /** HOST:PORT where Prometheus finds its metrics; empty when it serves none. */
  metricsAddress: string
}

/** One worker's membership as the cluster sees it, whatever carries its messages. */
export interface Member {
  /** Secret of this membership. */
  readonly id: string
  /** Unique among those that are in at one time. */
  readonly name: string
  readonly facts: WorkerFacts | undefined
  /** Resident memory of the worker and its compute process, as its last heartbeat said. */
  readonly residentBytes: number
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Bytes of weights that wait for the worker to take them. */
  readonly backlogBytes: number
  send(message: CoordinatorMessage): void
  /** Queues one chunk; the data must not change afterwards. */
  sendWeights(chunk: WeightsChunk): void
  /** Cuts the worker off; its loss is reported like any other. */
  evict(reason: string): void
  /** Where it writes its gradients, if it shares this machine's memory. */
  readonly memory?: Pick<MemoryFile, 'read'> | undefined
}

/** What is told of members. A handler that throws ends that worker's session with the reason. */
export interface MemberHandler {
  /** The worker can compute. @returns why it is refused, if it is */
  onReady(member: Member): string | undefined
  onHeard(member: Member): void
  onComputed(member: Member, lane: LaneComputed): void
  /** What the member had begun of an abandoned round has ended. */
  onAbandoned(member: Member, round: number): void
  /** The member wants to leave once it has delivered what it owes. */
  onDraining(member: Member): void
  onEvaluation(member: Member, result: EvaluationResult): void
  onGradient(member: Member, chunk: GradientChunk): void
  /** What its time went to, by its own clock. */
  onSpans(member: Member, spans: readonly Span[]): void
  /** What its clock said between `sent` and now. */
  onClock(member: Member, reading: { sent: number; clock: number }): void
  onLost(member: Member, reason: string): void
}
