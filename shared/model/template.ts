import { z } from 'zod'
import { UsageError } from '../kit/errors.ts'
import { checkNetwork, networkSchema, type Network } from './network.ts'

const perChannel = networkSchema.shape.mean

/**
 * Schema of a network in a user's file: layers for any number of classes (`"units": "classes"`) and any image size that they accept. `imageSize`
 * and `classes`, if given, must be those of the run.
 */
export const networkTemplateSchema = z.strictObject({
  name: z.string().min(1).max(64),
  layers: z.array(z.looseObject({ type: z.string() })).min(1).max(10_000),
  imageSize: networkSchema.shape.imageSize.optional(),
  classes: networkSchema.shape.classes.optional(),
  /** Mean and standard deviation of each channel: pixels enter the network as (value / 255 - mean) / std. */
  mean: perChannel.default([0.485, 0.456, 0.406]),
  std: perChannel.default([0.229, 0.224, 0.225]),
})
export type NetworkTemplate = z.infer<typeof networkTemplateSchema>

/**
 * Builds a template's network for one run.
 * @throws UsageError that names the layer, the problem, and the expected value
 */
export function networkOfTemplate(template: NetworkTemplate, { imageSize, classes }: { imageSize: number; classes: number }): Network {
  for (const [what, wanted, given] of [['images of', template.imageSize, imageSize], ['classes:', template.classes, classes]] as const) {
    if (wanted !== undefined && wanted !== given) throw new UsageError(`network "${template.name}" is for ${what} ${wanted}, not ${given}: change the file, or the data and --image-size.`)
  }
  const { name, mean, std } = template
  const parsed = networkSchema.safeParse({ name, mean, std, imageSize, classes, layers: withClasses(template.layers, classes) })
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues
    throw new UsageError(`network "${name}": ${path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('').slice(1)}: ${message}.`)
  }
  checkNetwork(parsed.data)
  return parsed.data
}

function withClasses(value: unknown, classes: number): unknown {
  if (Array.isArray(value)) return value.map((each) => withClasses(each, classes))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, key === 'units' && each === 'classes' ? classes : withClasses(each, classes)]))
}
