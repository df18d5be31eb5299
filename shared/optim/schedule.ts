import { z } from 'zod'
import { cosineOfHalfTurn } from '../kit/trigonometry.ts'

const share = z.number().min(0).max(1)
/** Length of a schedule in epochs, if it has one. It is fixed when the run begins: a run that is continued for more epochs keeps its learning rates. */
const epochs = z.int().min(1).optional()

/** Schema of a learning-rate schedule. The rate is a pure function of the update's number, so that resuming needs no state. */
export const scheduleSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('constant') }),
  /** Multiplication of the rate by `factor` after every `everyEpochs` epochs. */
  z.strictObject({ name: z.literal('step'), everyEpochs: z.int().min(1), factor: z.number().positive().max(1).default(0.1) }),
  /** Linear rise over `warmupEpochs`, then a fall along half a cosine to `floor`, a fraction of the learning rate. */
  z.strictObject({ name: z.literal('cosine'), warmupEpochs: z.number().min(0).finite().default(0), floor: share.default(0), epochs }),
  /**
   * One cycle as in PyTorch's OneCycleLR: a rise from `startFactor` of the learning rate to all of it during the first `peakAt` of the updates,
   * then a fall to `endFactor` of it, both along half a cosine.
   */
  z.strictObject({ name: z.literal('oneCycle'), peakAt: z.number().gt(0).lt(1).default(0.3), startFactor: share.default(0.04), endFactor: share.default(4e-6), epochs }),
])
export type RateSchedule = z.infer<typeof scheduleSchema>

/**
 * Returns the schedule with its length set, if it has one.
 * @param runEpochs length where none is given
 */
export function scheduleOver(schedule: RateSchedule, runEpochs: number): RateSchedule {
  return schedule.name === 'cosine' || schedule.name === 'oneCycle' ? { ...schedule, epochs: schedule.epochs ?? runEpochs } : schedule
}

/**
 * Computes the learning rate of one update, with operations that give the same bits on every machine. After a schedule's end, the rate stays
 * that of its last update.
 * @param learningRate highest rate that the schedule reaches
 * @param update number of the update, from 1
 * @throws Error if a schedule with a length has none set: see `scheduleOver`
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

/**
 * Interpolates along half a cosine.
 * @param way from 0 (all of `from`) to 1 (all of `to`)
 */
function between(from: number, to: number, way: number): number {
  const cosine = cosineOfHalfTurn(way)
  return from * ((1 + cosine) / 2) + to * ((1 - cosine) / 2)
}

/** Computes a power by multiplication alone, because the last bits of Math.pow depend on the JavaScript engine. */
function wholePower(base: number, exponent: number): number {
  let power = 1
  for (let i = 0; i < exponent; i++) power *= base
  return power
}
