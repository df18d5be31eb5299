import { z } from 'zod'
import { augmentationSchema, defaultAugmentation, defaultEvaluation, evaluationTransformsSchema, withNormalisation, type TransformLists } from '../data/transforms/transforms.ts'
import { storedIn } from '../recipe/stored.ts'
import { CheckpointError } from '../kit/errors.ts'
import type { Checkpoint } from './format.ts'

/** Transform lists of a run's options. Old checkpoints have none, since their runs used the default ones. */
const configSchema = z.object({ augmentation: augmentationSchema.optional(), evaluation: evaluationTransformsSchema.optional() })

/**
 * Reads the transforms that a checkpoint's run applied to its images, with the network's mean and standard deviation filled in.
 * @param file the checkpoint's path, for the error.
 * @throws CheckpointError if this Herd does not know one of the transforms or its parameters.
 */
export function transformListsOf({ config, network }: Pick<Checkpoint, 'config' | 'network'>, file: string): TransformLists {
  const { data, error } = configSchema.safeParse(storedIn(config))
  if (error !== undefined) {
    const [{ path, message }] = error.issues
    throw new CheckpointError(`${file}: the transforms of its run are not known to this Herd (${path.join('.')}: ${message}). Use the Herd that made it.`)
  }
  const { augmentation = defaultAugmentation, evaluation = defaultEvaluation } = data
  return { augmentation: withNormalisation(augmentation, network), evaluation: withNormalisation(evaluation, network) }
}
