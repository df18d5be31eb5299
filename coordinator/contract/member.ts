import type { z } from 'zod'
import type { InputFacts } from '../../shared/data/input_fingerprint.ts'
import type { Span } from '../../shared/trace/span.ts'
import type { MemoryFile } from '../../shared/kit/memory_file.ts'
import type { Checked, CoordinatorMessage, EvaluationResult, GradientChunk, LaneComputed, WeightsChunk } from '../../shared/wire/messages.ts'
import type { engineInfoSchema } from '../../shared/engine/engine_info.ts'

/** Facts that a worker has reported about itself. */
export interface WorkerFacts {
  engine: z.infer<typeof engineInfoSchema>
  /** Numerics fingerprint: equal on machines whose arithmetic is equal. */
  fingerprint: string
  /** Fingerprint of what it does to images, and the versions of Herd and its decoder that do it. */
  input: InputFacts
  datasetDigest: string
  /** HOST:PORT of its metrics for Prometheus; empty if it serves none. */
  metricsAddress: string
}

/** What vouches for an identity; `name`: nothing does, since the worker has chosen it itself. */
export type IdentityBy = 'certificate' | 'token' | 'name'

/** Identity of a participant, which outlives one membership. */
export interface Identity {
  identity: string
  identityBy: IdentityBy
}

/** Returns a text that two identities have in common only if they are one. */
export function identityKey({ identity, identityBy }: Identity): string {
  return `${identityBy} ${identity}`
}

/** Returns the identity of a key that `identityKey` has made. */
export function identityOf(key: string): Identity {
  const end = key.indexOf(' ')
  return { identityBy: key.slice(0, end) as IdentityBy, identity: key.slice(end + 1) }
}

/** One worker's membership as the cluster sees it, whatever the transport. */
export interface Member extends Readonly<Identity> {
  /** Secret session id of this membership. */
  readonly id: string
  /** Name, unique among the present workers. */
  readonly name: string
  /**
   * Who the worker is: the name in its certificate, else that of its token, else the name of this membership. Several members can have the same
   * one. The last kind proves nothing: such a worker can come back under another name.
   */
  readonly identity: string
  /** Facts that the worker has reported; undefined until it is ready. */
  readonly facts: WorkerFacts | undefined
  /** Resident memory of the worker and its compute process in bytes, from its last heartbeat. */
  readonly residentBytes: number
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Approximate bytes of weights that are queued and not yet sent to the worker. */
  readonly backlogBytes: number
  send(message: CoordinatorMessage): void
  /** Queues one chunk; the data must not change afterwards. */
  sendWeights(chunk: WeightsChunk): void
  /** Disconnects the worker; its loss is reported like any other. */
  evict(reason: string): void
  /** Shared-memory file that the worker writes its gradients to; undefined if it sends them over its connection. */
  readonly memory?: Pick<MemoryFile, 'read'> | undefined
}

/** Handler of everything that members do. If a method throws, that member's session ends with the error as its reason. */
export interface MemberHandler {
  /** The worker is ready to compute. @returns the reason if the worker is refused; otherwise undefined */
  onReady(member: Member): string | undefined
  /** A heartbeat has come. */
  onHeard(member: Member): void
  onComputed(member: Member, lane: LaneComputed): void
  /** The member has ended the work that it had begun of an abandoned round. */
  onAbandoned(member: Member, round: number): void
  /** The member wants to leave once it has delivered what it owes. */
  onDraining(member: Member): void
  onEvaluation(member: Member, result: EvaluationResult): void
  /** The member has computed lanes of another one again. */
  onChecked(member: Member, checked: Checked): void
  onGradient(member: Member, chunk: GradientChunk): void
  /** Trace spans of the member have come, with times on its own clock. */
  onSpans(member: Member, spans: readonly Span[]): void
  /** The member's clock showed `clock` at some moment between `sent`, on the coordinator's clock, and now; all in seconds. */
  onClock(member: Member, reading: { sent: number; clock: number }): void
  onLost(member: Member, reason: string): void
}
