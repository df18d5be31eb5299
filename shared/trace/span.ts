import { z } from 'zod'

/**
 * What a run spends its time on. The first ones are of a worker (idle: nothing is dealt to it; feed: a lane's images go to the
 * engine; collect: a partial comes from it; upload: until the coordinator has it), the last ones of the coordinator.
 */
export const spanNames = ['idle', 'decode', 'input wait', 'weights wait', 'feed', 'compute', 'collect', 'upload', 'test', 'step', 'lanes wait', 'reduce', 'optimizer', 'broadcast', 'evaluation'] as const
export type SpanName = (typeof spanNames)[number]

/** What a process did from one moment to another, in seconds on its clock; also as it travels. */
export const spanSchema = z.object({
  name: z.enum(spanNames),
  begin: z.number().min(0),
  end: z.number().min(0),
  /** Steps of the run that came before. */
  step: z.int().min(0).max(4294967295).optional(),
  /** A lane, or a block of the test set. */
  unit: z.int().min(0).max(4294967295).optional(),
}).refine((span) => span.end >= span.begin, 'a span must not end before it begins')
export type Span = z.infer<typeof spanSchema>

/** The most spans that one message may have. */
export const MAX_SPANS = 1000

/** Is told of each span when it has ended. */
export type SpanObserver = (span: Span) => void

/** The part `onSpan` of whatever may be traced; without an observer nothing is. */
export function tracing(onSpan: SpanObserver | undefined): { onSpan?: SpanObserver } {
  return onSpan === undefined ? {} : { onSpan: (span) => onSpan(span) }
}

/** Seconds of a clock that only goes forward and that all processes of a machine share. */
export function machineSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9
}
