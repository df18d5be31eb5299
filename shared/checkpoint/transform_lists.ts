import { z } from 'zod'
import { augmentationSchema, defaultTransforms, evaluationTransformsSchema, type TransformLists } from '../data/transforms/transforms.ts'
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
  const { data, error } = configSchema.safeParse(config)
  if (error !== undefined) {
    const [{ path, message }] = error.issues
    throw new CheckpointError(`${file}: the transforms of its run are not known to this Herd (${path.join('.')}: ${message}). Use the Herd that made it.`)
  }
  const defaults = defaultTransforms(network)
  return { augmentation: data.augmentation ?? defaults.augmentation, evaluation: data.evaluation ?? defaults.evaluation }
}
