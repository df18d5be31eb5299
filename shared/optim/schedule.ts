import { z } from 'zod'
import { cosineOfHalfTurn } from '../kit/trigonometry.ts'

const share = z.number().min(0).max(1)
/** Length in epochs, of a schedule that has one. It is set once, when the run begins: a run that is continued for longer keeps its rates. */
const epochs = z.int().min(1).optional()

/** How the learning rate goes: a pure function of the update's number, so that resuming needs nothing. */
export const scheduleSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('constant') }),
  /** Times `factor` after every so many epochs. */
  z.strictObject({ name: z.literal('step'), everyEpochs: z.int().min(1), factor: z.number().positive().max(1).default(0.1) }),
  /** Rises evenly over `warmupEpochs`, then falls along half a cosine to `floor`, a share of the learning rate. */
  z.strictObject({ name: z.literal('cosine'), warmupEpochs: z.number().min(0).finite().default(0), floor: share.default(0), epochs }),
  /** Rises from `startFactor` of the learning rate to all of it, `peakAt` of the way, and falls to `endFactor`: both along half a cosine, as PyTorch's OneCycleLR. */
  z.strictObject({ name: z.literal('oneCycle'), peakAt: z.number().gt(0).lt(1).default(0.3), startFactor: share.default(0.04), endFactor: share.default(4e-6), epochs }),
])
export type RateSchedule = z.infer<typeof scheduleSchema>

/** A schedule whose length, where it has one, is set. @param runEpochs length where none is given */
export function scheduleOver(schedule: RateSchedule, runEpochs: number): RateSchedule {
  return schedule.name === 'cosine' || schedule.name === 'oneCycle' ? { ...schedule, epochs: schedule.epochs ?? runEpochs } : schedule
}

/**
 * The learning rate of one update, in operations that have the same bits on every machine. After a schedule's end, it stays as it was at
 * the last update.
 * @param learningRate highest rate that the schedule comes to
 * @param update number of the update, from 1
 * @throws Error where a schedule with a length has none set: see `scheduleOver`
 */
export function rateAt(schedule: RateSchedule, learningRate: number, update: number, stepsPerEpoch: number): number {
  switch (schedule.name) {
    case 'constant':
      return learningRate
    case 'step':
      return learningRate * wholePower(schedule.factor, Math.floor((update - 1) / (schedule.everyEpochs * stepsPerEpoch)))
    case 'cosine': {
      const updates = updatesOf(schedule, stepsPerEpoch)
      const warmup = Math.round(schedule.warmupEpochs * stepsPerEpoch)
      const done = Math.min(update, updates) - 1
      if (done < warmup) return (learningRate * (done + 1)) / warmup
      return between(learningRate, learningRate * schedule.floor, (done - warmup) / (updates - warmup))
    }
    case 'oneCycle': {
      const updates = updatesOf(schedule, stepsPerEpoch)
      const done = Math.min(update, updates) - 1
      const peak = schedule.peakAt * updates - 1
      if (done < peak) return between(learningRate * schedule.startFactor, learningRate, done / peak)
      return between(learningRate, learningRate * schedule.endFactor, (done - peak) / (updates - 1 - peak))
    }
  }
}

function updatesOf({ name, epochs: length }: { name: string; epochs?: number | undefined }, stepsPerEpoch: number): number {
  if (length === undefined) throw new Error(`schedule ${name} has no epochs yet`)
  return length * stepsPerEpoch
}

/** Along half a cosine. @param way from 0 (all of `from`) to 1 (all of `to`) */
function between(from: number, to: number, way: number): number {
  const cosine = cosineOfHalfTurn(way)
  return from * ((1 + cosine) / 2) + to * ((1 - cosine) / 2)
}

/** By products alone: the last bits of Math.pow are each JavaScript engine's own. */
function wholePower(base: number, exponent: number): number {
  let power = 1
  for (let i = 0; i < exponent; i++) power *= base
  return power
}
