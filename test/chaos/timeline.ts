import { z } from 'zod'
import type { EventLine } from '../../shared/run_folder/schemas.ts'

/**
 * A run according to its events.jsonl (with --step-events): rounds of work one after the other, over every restart of the
 * coordinator, and the events of the workers meanwhile. Times are milliseconds of the system's clock.
 */
export interface Timeline {
  begin: number
  end: number
  rounds: Round[]
  /** Number of evaluations that went on beside steps, whose times include theirs. */
  evaluationsBeside: number
  /** Steps of the checkpoints from which a restarted coordinator resumed. */
  resumes: { at: number; step: number }[]
  joins: { worker: string; at: number }[]
  losses: Loss[]
  /** Number of units (lanes, test blocks) of stragglers that another worker was given too. */
  takenOver: number
  /** Number of units in results that were not counted. */
  dropped: number
}

/** One step, or one evaluation of the test set that steps waited for. */
export interface Round {
  kind: 'step' | 'evaluation'
  /** Number of the coordinator process in which it ended, from 1. */
  life: number
  /** Optimizer steps done when it ends. */
  step: number
  begin: number
  end: number
  /** Fewest workers that were in at any time of it. */
  workers: number
}

/** A worker that was lost, and the units that it owed, which were then dealt to others. */
export interface Loss {
  worker: string
  at: number
  units: number
}

const schemas = {
  resumed: z.looseObject({ epoch: z.int(), step: z.int() }),
  step: z.looseObject({ step: z.int(), seconds: z.number() }),
  evaluating: z.looseObject({ epoch: z.int(), beside: z.boolean() }),
  workerJoined: z.looseObject({ worker: z.string(), workers: z.int() }),
  workerLost: z.looseObject({ worker: z.string(), workers: z.int() }),
  workerLeft: z.looseObject({ workers: z.int() }),
  takenOver: z.looseObject({ units: z.array(z.int()) }),
  dealtAgain: z.looseObject({ units: z.array(z.int()) }),
  dropped: z.looseObject({ units: z.int() }),
}

/** Reads the timeline of a run from its events. @throws ZodError if an event is not as the coordinator writes it. */
export function timelineOf(events: readonly EventLine[]): Timeline {
  const timeline: Timeline = { begin: 0, end: 0, rounds: [], evaluationsBeside: 0, resumes: [], joins: [], losses: [], takenOver: 0, dropped: 0 }
  let life = 0
  let workers = 0
  /** Fewest workers since the end of the last round. */
  let fewest = 0
  let step = 0
  /** The evaluation in progress; it ends when its epoch's checkpoint is written, the last one before the event of the epoch. */
  let evaluation: { epoch: number; life: number; begin: number; end: number | undefined } | undefined
  let testsBeside = false
  const addRound = (round: Pick<Round, 'kind' | 'life' | 'begin' | 'end'>): void => {
    timeline.rounds.push({ ...round, step, workers: fewest })
    fewest = workers
  }
  const addEvaluation = (latestEnd: number): void => {
    if (evaluation !== undefined) addRound({ kind: 'evaluation', life: evaluation.life, begin: evaluation.begin, end: evaluation.end ?? latestEnd })
    evaluation = undefined
  }

  for (const event of events) {
    const at = Date.parse(event.time)
    timeline.begin ||= at
    timeline.end = at
    switch (event.event) {
      case 'started':
        life++
        workers = 0
        break
      case 'resumed': {
        const resumed = schemas.resumed.parse(event)
        // The coordinator died while it drew the epoch's curves: the epoch was complete.
        if (evaluation !== undefined && resumed.epoch > evaluation.epoch) addEvaluation(at)
        evaluation = undefined
        fewest = 0
        timeline.resumes.push({ at, step: resumed.step })
        break
      }
      case 'step': {
        const { step: done, seconds } = schemas.step.parse(event)
        step = done
        addRound({ kind: 'step', life, begin: at - seconds * 1000, end: at })
        break
      }
      case 'evaluating': {
        const { epoch, beside } = schemas.evaluating.parse(event)
        testsBeside = beside
        evaluation = beside ? undefined : { epoch, life, begin: at, end: undefined }
        break
      }
      case 'checkpoint':
        if (evaluation !== undefined) evaluation.end = at
        break
      case 'epoch':
        if (testsBeside) timeline.evaluationsBeside++
        addEvaluation(at)
        break
      case 'workerJoined': {
        const { worker, workers: now } = schemas.workerJoined.parse(event)
        timeline.joins.push({ worker: nameOf(worker), at })
        // A worker that joins in mid-round does not raise the number of workers of that round.
        workers = now
        break
      }
      case 'workerLost': {
        const { worker, workers: now } = schemas.workerLost.parse(event)
        timeline.losses.push({ worker: nameOf(worker), at, units: 0 })
        workers = now
        fewest = Math.min(fewest, now)
        break
      }
      case 'workerLeft':
        workers = schemas.workerLeft.parse(event).workers
        fewest = Math.min(fewest, workers)
        break
      case 'takenOver':
        timeline.takenOver += schemas.takenOver.parse(event).units.length
        break
      case 'dealtAgain': {
        const loss = timeline.losses.at(-1)
        if (loss !== undefined) loss.units += schemas.dealtAgain.parse(event).units.length
        break
      }
      case 'dropped':
        timeline.dropped += schemas.dropped.parse(event).units
        break
      default:
    }
  }
  return timeline
}

/** Removes the number that the coordinator adds to a name that is taken, as if a worker is back before its loss was noticed: "worker-1 (2)". */
function nameOf(worker: string): string {
  return worker.replace(/ \(\d+\)$/, '')
}
