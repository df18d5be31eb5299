import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import type { Progress } from '../contract/progress.ts'

/** A checkpoint without weights and moments. */
export type CheckpointFacts = Omit<Checkpoint, 'parameters' | 'moments'>

/**
 * Builds the part of a checkpoint besides weights and moments. In the file, an epoch that has just ended is still the current one, with
 * all its steps done and its sums empty; in a run, the next one has begun. An epoch with all its steps done and sums that are not
 * empty has not been evaluated yet.
 */
export function checkpointFacts(parts: Pick<Checkpoint, 'network' | 'frozen' | 'classes' | 'config' | 'optimizer' | 'datasetDigest'> & { stepsPerEpoch: number }, progress: Progress): CheckpointFacts {
  const { at, sums } = progress
  const betweenEpochs = at.stepInEpoch === 0 && at.epoch > 1
  return {
    network: parts.network,
    frozen: parts.frozen,
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

/** Reads the position of the run from its checkpoint: the inverse of `checkpointFacts`. */
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
