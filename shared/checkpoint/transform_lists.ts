import { z } from 'zod'
import { augmentationSchema, defaultAugmentation, defaultEvaluation, evaluationTransformsSchema, withNormalisation, type TransformLists } from '../data/transforms/transforms.ts'
import { storedIn } from '../recipe/stored.ts'
import { CheckpointError } from '../kit/errors.ts'
import type { Checkpoint } from './format.ts'

/** A checkpoint from before there were lists has none: its run used the default ones. */
const configSchema = z.object({ augmentation: augmentationSchema.optional(), evaluation: evaluationTransformsSchema.optional() })

/**
 * How the run of a checkpoint transformed its images.
 * @param file its name, for the error.
 * @throws CheckpointError where this Herd does not know one of its transforms.
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
