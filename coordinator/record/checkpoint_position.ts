import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import type { Progress } from '../contract/progress.ts'

/** A checkpoint without its vectors. */
export type CheckpointFacts = Omit<Checkpoint, 'parameters' | 'moments'>

/**
 * What a checkpoint says besides weights and moments. In the file, an epoch that has just ended is still the current one, with all
 * its steps done and its sums empty again; in a run, the next one has begun. With all its steps done and sums that are
 * not empty, an epoch has yet to be evaluated.
 */
export function checkpointFacts(parts: Pick<Checkpoint, 'network' | 'classes' | 'config' | 'optimizer' | 'datasetDigest'> & { stepsPerEpoch: number }, progress: Progress): CheckpointFacts {
  const { at, sums } = progress
  const betweenEpochs = at.stepInEpoch === 0 && at.epoch > 1
  return {
    network: parts.network,
    classes: parts.classes,
    config: parts.config,
    optimizer: parts.optimizer,
    datasetDigest: parts.datasetDigest,
    position: {
      epoch: betweenEpochs ? at.epoch - 1 : at.epoch,
      step: at.step,
      stepInEpoch: betweenEpochs ? parts.stepsPerEpoch : at.stepInEpoch,
      skippedSteps: progress.skippedSteps,
      epochSkippedSteps: sums.skippedSteps,
      epochLossSum: sums.lossSum,
      epochCorrect: sums.correct,
      epochImages: sums.images,
      epochSeconds: sums.seconds,
      images: progress.images,
      seconds: progress.seconds,
    },
  }
}

/** Where the run stands that a checkpoint was taken of. */
export function progressOf({ position }: Checkpoint, stepsPerEpoch: number): Progress {
  const ended = position.stepInEpoch >= stepsPerEpoch && position.epochImages === 0 && position.epochSkippedSteps === 0
  return {
    at: { epoch: ended ? position.epoch + 1 : position.epoch, stepInEpoch: ended ? 0 : position.stepInEpoch, step: position.step },
    sums: { lossSum: position.epochLossSum, correct: position.epochCorrect, images: position.epochImages, skippedSteps: position.epochSkippedSteps, seconds: position.epochSeconds },
    images: position.images,
    skippedSteps: position.skippedSteps,
    seconds: position.seconds,
  }
}
