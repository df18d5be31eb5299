import { z } from 'zod'
import { choice, list, named, real, structured, whole, type OptionSpec, type ValueSpec } from '../command/options.ts'
import { numericsKinds } from '../engine/engine.ts'
import { compressions } from '../compress/format.ts'
import { augmentationSchema, evaluationTransformsSchema } from '../data/transforms/transforms.ts'
import { samplings } from '../lanes/sample_schedule.ts'
import { askedInitSchema, initialisations, initSchema } from '../model/initial.ts'
import { imageSizesSchema } from '../model/image_sizes.ts'
import { lossSchema } from '../model/loss.ts'
import { mixSchema } from '../model/mix.ts'
import { modelNames, modelSchema } from '../model/models.ts'
import { patternSchema } from '../model/parameter_patterns.ts'
import { groupRateSchema } from '../optim/group_rates.ts'
import { optimizerSchema } from '../optim/optimizers.ts'
import { scheduleSchema } from '../optim/schedule.ts'
import { article } from './presets.ts'

/** An ingredient of a recipe: one value that decides a run's result. */
export interface Ingredient<Asked, Value> {
  /** Option by which users give it on the command line, in the environment and in a configuration file. */
  option: OptionSpec<Asked>
  /** Schema of the value once the run has begun, as it stands in JSON. An option may leave the choice to Herd (`auto`); the value does not. */
  value: z.ZodType<Value>
  /** Schema of what a recipe in a file may say, where that is more than `value`. */
  asked?: z.ZodType<Asked>
  /** True if a resumed run may have another value than it began with. */
  mayChange: boolean
}

function ingredient<T>(option: ValueSpec<T>, { mayChange = false } = {}): Ingredient<T, T> {
  return { option, value: option.value, mayChange }
}

/**
 * The single list of everything that decides a run's result. The options of the command line, the recipe that is sent to workers and reducers,
 * the contents of config.json and checkpoints, what is displayed, and what a resumed run is compared by are all derived from this table.
 */
export const recipeTable = {
  model: ingredient(named('<name|file>', `Network to train: ${modelNames.join(', ')}, or a JSON file with its layers.`, 'the name of a network, or a JSON file', modelSchema, article.model)),
  init: {
    option: named('<pytorch|he|file>', "Initial weights: the article's framework's default, or He's, which learns from the first epoch, or those of a safetensors file, by name and shape.", `one of ${initialisations.join(', ')}, or a safetensors file`, askedInitSchema, article.init),
    value: initSchema,
    asked: askedInitSchema,
    mayChange: false,
  },
  freeze: ingredient(list('<pattern>', 'Parameters that keep their initial values, and cost neither gradients nor exchange: backbone, head, or names with *.', 'names of parameters, e.g. backbone or conv2d_*', patternSchema, { read: (text) => text, write: (pattern) => pattern })),
  imageSize: ingredient(whole('<pixels>', 'Height and width that images are brought to.', { min: 8, max: 4096 }, article.imageSize)),
  imageSizes: ingredient(structured('<json|none>', 'Sizes of training images that change as epochs go by, as [{"from": 1, "size": 96}, {"from": 9, "size": 128}]: from epoch 1 on, from epoch 9 on.', 'JSON with a list of {"from": epoch, "size": pixels}, or none', imageSizesSchema.nullable(), article.imageSizes)),
  augmentation: ingredient(structured('<json>', 'Transforms of training images, in order: a list of {"name": ...}.', 'a list of transforms', augmentationSchema, article.augmentation, "the article's")),
  evaluation: ingredient(structured('<json>', 'Transforms of images that the network is tested on, in order.', 'a list of transforms without randomness', evaluationTransformsSchema, article.evaluation, "the article's")),
  mix: ingredient(structured('<name|json|none>', 'Mix training images with others of their lane: mixUp, cutMix, or one of them with its parameters.', 'the name of a way to mix, JSON with it, or none', mixSchema.nullable(), article.mix)),
  epochs: ingredient(whole('<count>', 'Passes over the training set.', { min: 1 }, article.epochs), { mayChange: true }),
  earlyStop: ingredient(structured('<epochs|none>', 'Stop when so many epochs have come to no higher test accuracy; the best is best.ckpt.', 'a whole number of epochs, or none', z.int().min(1).nullable(), article.earlyStop), { mayChange: true }),
  batch: ingredient(whole('<images>', 'Images in a global batch, over all workers.', { min: 1, max: 65536 }, article.batch)),
  lanes: ingredient(whole('<count>', 'Slices of a batch that are dealt to workers. Part of the result: keep it when the cluster changes.', { min: 1, max: 4096 }, article.lanes)),
  sampling: ingredient(choice('shuffled takes each image once in an epoch; balanced as many of each class, some of them several times.', samplings, article.sampling)),
  optimizer: ingredient(structured('<name|json>', 'What steps the weights: adam, adamw, sgd, or one of them with its parameters, as {"name": "sgd", "momentum": 0.9}.', 'the name of an optimizer, or JSON with it', optimizerSchema, article.optimizer)),
  lr: ingredient(real('<rate>', 'Learning rate; with a schedule, its highest.', 'a number above 0', z.number().positive().finite(), article.lr)),
  lrOf: ingredient(list('<pattern=rate>', 'Learning rates of parameters of their own, in place of --lr: backbone=1e-4. A pattern is head, backbone, or a name with *; of several that fit, the last counts.', 'PATTERN=RATE, e.g. backbone=1e-4,head=1e-3', groupRateSchema, {
    read: (text) => ({ parameters: text.slice(0, Math.max(text.lastIndexOf('='), 0)), rate: Number(text.slice(text.lastIndexOf('=') + 1) || Number.NaN) }),
    write: ({ parameters, rate }) => `${parameters}=${rate}`,
  })),
  schedule: ingredient(structured('<name|json>', 'How the learning rate changes: constant, step, cosine, oneCycle, or one of them with its parameters.', 'the name of a schedule, or JSON with it', scheduleSchema, article.schedule)),
  clip: ingredient(structured('<norm|none>', 'Limit of the norm of a whole gradient; longer ones are scaled down to it.', 'a number above 0, or none', z.number().positive().finite().nullable(), article.clip)),
  loss: ingredient(structured('<name|json>', 'What is minimised: crossEntropy, focal, or one of them with its parameters, as {"name": "crossEntropy", "classWeights": "balanced"}.', 'the name of a loss, or JSON with it', lossSchema, article.loss)),
  labelSmoothing: ingredient(real('<share>', 'Share of the label that is spread over all classes.', 'a number of at least 0 and below 1', z.number().min(0).lt(1), article.labelSmoothing)),
  seed: ingredient(whole('<number>', 'Decides order, augmentation, dropout and initial weights.', { min: 0, max: 4294967295 }, article.seed)),
  precision: {
    option: choice('bf16 computes in bfloat16 with float32 weights, where the CPU or GPU can; auto measures which is faster on this machine.', ['f32', 'bf16', 'auto'], article.precision),
    value: z.enum(['f32', 'bf16']),
    asked: z.enum(['f32', 'bf16', 'auto']),
    mayChange: false,
  },
  compress: ingredient(choice('Send gradients in fewer bytes: bf16 half, int8 a quarter. Part of the result, like --seed.', compressions, article.compress)),
  compressWeights: ingredient(choice('The same for weights, rounded to the nearest; the coordinator keeps float32.', compressions, article.compressWeights)),
  engine: {
    option: choice('auto takes native where it is installed, else wasm.', ['auto', 'native', 'wasm'], 'auto'),
    value: z.enum(['native', 'wasm']),
    asked: z.enum(['auto', 'native', 'wasm']),
    mayChange: false,
  },
  numerics: ingredient(choice("portable computes the same bits on every processor with AVX2, by kernels that all of them have; native by this processor's fastest.", numericsKinds, article.numerics)),
  threads: ingredient(whole('<count>', 'Threads inside one operation. Part of the result; more cores are used by more workers.', { min: 1, max: 1024 }, article.threads)),
  testFraction: ingredient(real('<share>', 'Share of the images held out for testing, chosen by a hash of their path.', 'a number above 0 and below 1', z.number().gt(0).lt(1), article.testFraction)),
  onNonfinite: ingredient(choice('At a step whose gradient is NaN or infinite: stop saves the state before it and ends the run, skip leaves the step out.', ['stop', 'skip'], article.onNonfinite), { mayChange: true }),
} as const

type Table = typeof recipeTable
export type RecipeKey = keyof Table
export const recipeKeys = Object.keys(recipeTable) as RecipeKey[]

/** The recipe of a run that has begun: every value is decided. */
export type Recipe = { [K in RecipeKey]: z.infer<Table[K]['value']> }
/** A recipe as users ask for it: engine and precision may be left to the machine (`auto`). */
export type AskedRecipe = { [K in RecipeKey]: Table[K]['option'] extends OptionSpec<infer T> ? T : never }

/** Command-line options of all ingredients. */
export const recipeOptions = Object.fromEntries(recipeKeys.map((key) => [key, recipeTable[key].option])) as { [K in RecipeKey]: Table[K]['option'] }
/** Schemas of all ingredients by name, to build the schema of anything that contains a recipe. */
export const recipeShape = Object.fromEntries(recipeKeys.map((key) => [key, recipeTable[key].value])) as { [K in RecipeKey]: Table[K]['value'] }
