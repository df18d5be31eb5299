import { z } from 'zod'
import { seconds } from '../kit/fields.ts'

/**
 * Activities that a run spends its time on. Those up to `test` are a worker's (idle: nothing is dealt to it; feed: a lane's images go to the
 * engine; collect: a partial is fetched from the engine; upload: until the coordinator has the partial), the others the coordinator's.
 */
export const spanNames = ['idle', 'decode', 'input wait', 'weights wait', 'feed', 'compute', 'collect', 'upload', 'test', 'check', 'step', 'lanes wait', 'reduce', 'optimizer', 'broadcast', 'evaluation'] as const
export type SpanName = (typeof spanNames)[number]

/** An activity of a process, in seconds on its clock; also the schema of a span on the wire. */
export const spanSchema = z.object({
  name: z.enum(spanNames),
  begin: seconds,
  end: seconds,
  /** Number of the run's steps that came before. */
  step: z.int().min(0).max(4294967295).optional(),
  /** Number of the lane, or of the block of the test set. */
  unit: z.int().min(0).max(4294967295).optional(),
}).refine((span) => span.end >= span.begin, 'a span must not end before it begins')
export type Span = z.infer<typeof spanSchema>

/** Limit of the spans in one message. */
export const MAX_SPANS = 1000

/** Receives each span when it has ended. */
export type SpanObserver = (span: Span) => void

/** Makes the optional property `onSpan` of an object that can be traced; empty without an observer. */
export function tracing(onSpan: SpanObserver | undefined): { onSpan?: SpanObserver } {
  return onSpan === undefined ? {} : { onSpan: (span) => onSpan(span) }
}

/** Reads a monotonic clock that all processes of a machine share, in seconds. */
export function machineSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9
}
