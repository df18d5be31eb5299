import { CheckpointError } from '../kit/errors.ts'
import { trainedOf } from '../model/frozen.ts'
import type { Optimizer, OptimizerState } from '../optim/optimizer.ts'
import type { Checkpoint } from './format.ts'

/**
 * Takes from a checkpoint the weights and moments with which the optimizer continues: those of the parameters that are not frozen.
 * @param file the checkpoint's path, for the error.
 * @throws CheckpointError if the moments belong to another optimizer.
 */
export function optimizerStateOf({ optimizer: saved, network, frozen, parameters, moments }: Checkpoint, optimizer: Optimizer, file: string): OptimizerState {
  if (saved.name !== optimizer.name || saved.moments.join() !== optimizer.moments.join()) {
    throw new CheckpointError(`${file} has moments ${saved.moments.join(', ')} of optimizer ${saved.name}, not ${optimizer.moments.join(', ')} of ${optimizer.name}: use the optimizer it was trained with, or another checkpoint.`)
  }
  return { parameters: frozen === undefined ? parameters : trainedOf({ ...network, frozen: [...frozen] }, parameters), moments }
}
