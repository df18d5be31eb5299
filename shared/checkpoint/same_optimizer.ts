import { CheckpointError } from '../kit/errors.ts'
import type { Optimizer, OptimizerState } from '../optim/optimizer.ts'
import type { Checkpoint } from './format.ts'

/**
 * Weights and moments of a checkpoint, for its optimizer to go on with.
 * @param file the checkpoint's path, for the message.
 * @throws CheckpointError when its moments are another optimizer's.
 */
export function optimizerStateOf({ optimizer: saved, parameters, moments }: Checkpoint, optimizer: Optimizer, file: string): OptimizerState {
  if (saved.name !== optimizer.name || saved.moments.join() !== optimizer.moments.join()) {
    throw new CheckpointError(`${file} has moments ${saved.moments.join(', ')} of optimizer ${saved.name}, not ${optimizer.moments.join(', ')} of ${optimizer.name}: use the optimizer it was trained with, or another checkpoint.`)
  }
  return { parameters, moments }
}
