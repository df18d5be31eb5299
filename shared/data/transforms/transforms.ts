import { z } from 'zod'
import { alternatingFlip } from './alternating_flip.ts'
import { centreCrop } from './centre_crop.ts'
import { colourJitter } from './colour_jitter.ts'
import { flip } from './flip.ts'
import { normalise, type Normalisation } from './normalise.ts'
import { randomCrop } from './random_crop.ts'
import { randomErasing } from './random_erasing.ts'
import { randomResizedCrop } from './random_resized_crop.ts'
import { resize } from './resize.ts'
import { rotate } from './rotate.ts'
import { forms, type Form, type Transform } from './transform.ts'
import { trivialAugment } from './trivial_augment.ts'

/** All transforms by name. */
const table = {
  flip,
  rotate,
  resize,
  centreCrop,
  alternatingFlip,
  randomResizedCrop,
  randomCrop,
  colourJitter,
  trivialAugment,
  randomErasing,
  normalise,
}
export const transforms: Readonly<Record<keyof typeof table, Transform>> = table

const [first, ...others] = Object.values(table).map(({ schema }) => schema)
const transformSchema = z.discriminatedUnion('name', [first, ...others], {
  error: ({ code }) => (code === 'invalid_union' ? `expected a transform with its name, one of ${Object.keys(table).join(', ')}` : undefined),
})
const MAX_TRANSFORMS = 32

/** A transform with its parameters. */
export type TransformSpec = z.output<typeof transformSchema>
export type TransformList = readonly TransformSpec[]

/** Schema of the transforms of training images, which are drawn anew in each epoch and lead from a photograph to the network's input. */
export const augmentationSchema = z.array(transformSchema).max(MAX_TRANSFORMS).superRefine(checkChain).readonly()

/** Schema of the transforms of images for evaluation and prediction, which are the same each time. */
export const evaluationTransformsSchema = z.array(transformSchema).max(MAX_TRANSFORMS).superRefine((list, context) => {
  for (const [index, { name }] of list.entries()) {
    if (transforms[name].draws !== undefined) context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${name}" draws random numbers: leave it to the augmentation` })
  }
  checkChain(list, context)
}).readonly()

/** Both lists of transforms of a run. */
export interface TransformLists {
  augmentation: TransformList
  evaluation: TransformList
}

const articleEvaluation: z.input<typeof transformSchema>[] = [{ name: 'resize', shortSide: 300 / 256 }, { name: 'centreCrop' }, { name: 'normalise' }]

/** Transforms of the article; they normalise with the network's own mean and standard deviation. */
export const defaultAugmentation = augmentationSchema.parse([{ name: 'flip', probability: 0.3 }, { name: 'rotate', degrees: 40 }, ...articleEvaluation])
export const defaultEvaluation = evaluationTransformsSchema.parse(articleEvaluation)

/** Returns the article's transforms; if a network is given, its mean and standard deviation are filled in. */
export function defaultTransforms(network?: Normalisation): TransformLists {
  if (network === undefined) return { augmentation: defaultAugmentation, evaluation: defaultEvaluation }
  return { augmentation: withNormalisation(defaultAugmentation, network), evaluation: withNormalisation(defaultEvaluation, network) }
}

/** Returns the mean and standard deviation with which a list normalises, as far as the list itself gives them. */
export function normalisationOf(list: TransformList): Partial<Normalisation> {
  const { mean = null, std = null } = list.find((spec) => spec.name === 'normalise') ?? {}
  return { ...(mean === null ? {} : { mean }), ...(std === null ? {} : { std }) }
}

/** Returns a list with the mean and standard deviation filled in: the list's own or else the network's. */
export function withNormalisation(list: TransformList, { mean, std }: Normalisation): TransformList {
  return list.map((spec) => (spec.name === 'normalise' ? { ...spec, mean: spec.mean ?? mean, std: spec.std ?? std } : spec))
}

/** Says which list has another mean or standard deviation than the network, whose figures the engine uses; undefined if both lists agree with it. */
export function normalisationProblem(lists: TransformLists, network: Normalisation): string | undefined {
  const figures = ({ mean, std }: Partial<Normalisation>): string => `mean ${mean?.join(', ') ?? 'unsaid'} and std ${std?.join(', ') ?? 'unsaid'}`
  const expected = figures(network)
  const wrong = (['augmentation', 'evaluation'] as const).find((list) => figures(normalisationOf(lists[list])) !== expected)
  return wrong === undefined ? undefined : `normalise of ${wrong} has ${figures(normalisationOf(lists[wrong]))}, the network ${expected}: give all of them the same`
}

/**
 * Returns the short side in pixels to which larger images are reduced while they are decoded: the largest that any transform of the two
 * lists needs, so that a decoded image serves both.
 */
export function decodeTarget({ augmentation, evaluation }: TransformLists, imageSize: number): number {
  return [...augmentation, ...evaluation].reduce((largest, spec) => Math.max(largest, transforms[spec.name].decodedShortSide?.(spec, imageSize) ?? 0), 0)
}

/** Checks that each transform takes the form that the one before it gives, and that the last one gives the network's input. */
function checkChain(list: TransformList, context: z.RefinementCtx): void {
  let form: Form = 'photograph'
  for (const [index, { name }] of list.entries()) {
    const { takes, gives } = transforms[name]
    if (!takes.includes(form)) {
      const before = index === 0 ? 'at the beginning of the list' : `after "${list[index - 1].name}"`
      context.addIssue({ code: 'custom', path: [index], message: `"${name}" takes ${takes.map((taken) => forms[taken]).join(', or ')}; ${before} there is ${forms[form]}` })
      return
    }
    form = gives
  }
  if (form !== 'normalised') context.addIssue({ code: 'custom', path: [list.length], message: `the list ends with ${forms[form]}; it has to come to ${forms.normalised}, by "normalise" at its end` })
}
