import { z } from 'zod'
import { roundToEven } from '../../kit/rounding.ts'
import type { KeyedRandom } from '../../random/philox.ts'
import { changeBrightness, changeContrast, changeSaturation } from './colour_jitter.ts'
import { autoContrast, changeSharpness, equalize, posterize, remap, solarize, transformBy } from './image_operations.ts'
import { Rotation } from './rotation.ts'
import { randomTransform, type Window } from './transform.ts'

/** Strengths of an operation, numbered from 0 to STRONGEST. */
const STRONGEST = 30

/** An operation of TrivialAugment. */
interface Operation {
  /** Returns the magnitude of a strength. */
  magnitude(strength: number): number
  /** True if the magnitude is negative half of the time. */
  signed: boolean
  change(window: Window, magnitude: number): void
}

/** Magnitudes in equal steps from 0 to the most, as float32, which torchvision has. */
const upTo = (most: number) => (strength: number): number => Math.fround((most * strength) / STRONGEST)
const always = (): number => 0
/** Factor of a change of colours, as Pillow gets it. */
const factorOf = (magnitude: number): number => Math.fround(1 + magnitude)
const spatial = (most: number, change: Operation['change']): Operation => ({ magnitude: upTo(most), signed: true, change })
const colour = (change: Operation['change']): Operation => ({ magnitude: upTo(0.99), signed: true, change })
const unsigned = (magnitude: Operation['magnitude'], change: Operation['change']): Operation => ({ magnitude, signed: false, change })

/** The operations in torchvision's order, with the names of it. The order decides what is drawn. */
export const operations = {
  Identity: unsigned(always, () => undefined),
  ShearX: spatial(0.99, (window, magnitude) => transformBy(window, [1, magnitude, 0, 0, 1, 0])),
  ShearY: spatial(0.99, (window, magnitude) => transformBy(window, [1, 0, 0, magnitude, 1, 0])),
  TranslateX: spatial(32, (window, magnitude) => transformBy(window, [1, 0, -Math.trunc(magnitude), 0, 1, 0])),
  TranslateY: spatial(32, (window, magnitude) => transformBy(window, [1, 0, 0, 0, 1, -Math.trunc(magnitude)])),
  Rotate: spatial(135, (window, degrees) => remap(window, (image) => new Rotation(image, { flip: false, degrees }))),
  Brightness: colour(({ pixels }, magnitude) => changeBrightness(pixels, factorOf(magnitude))),
  Color: colour(({ pixels }, magnitude) => changeSaturation(pixels, factorOf(magnitude))),
  Contrast: colour(({ pixels }, magnitude) => changeContrast(pixels, factorOf(magnitude))),
  Sharpness: colour((window, magnitude) => changeSharpness(window, factorOf(magnitude))),
  Posterize: unsigned((strength) => 8 - roundToEven((strength * 6) / STRONGEST), posterize),
  Solarize: unsigned((strength) => 255 - (255 * strength) / STRONGEST, solarize),
  AutoContrast: unsigned(always, autoContrast),
  Equalize: unsigned(always, equalize),
} as const satisfies Record<string, Operation>
export type OperationName = keyof typeof operations

/** The operation that one image gets, and its magnitude. */
export interface Chosen {
  operation: OperationName
  magnitude: number
}

/** The transform trivialAugment: torchvision's TrivialAugmentWide on PIL images, bit for bit. One operation of fourteen, with one strength of 31; nearest neighbour, black outside. */
export const trivialAugment = randomTransform({
  schema: z.strictObject({ name: z.literal('trivialAugment') }),
  takes: ['window'],
  gives: 'window',
  draws: { stream: 5, draw: (_, random) => chosenBy(random) },
  paint: (window: Window, { operation, magnitude }: Chosen) => operations[operation].change(window, magnitude),
})

function chosenBy(random: KeyedRandom): Chosen {
  const operation = random.pick(Object.keys(operations) as OperationName[])
  const { magnitude, signed } = operations[operation]
  const size = magnitude(random.below(STRONGEST + 1))
  return { operation, magnitude: signed && random.below(2) === 1 ? -size : size }
}
