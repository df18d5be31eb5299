import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { CheckpointError, UsageError } from '../../../../shared/kit/errors.ts'
import { parseRecipe, readModel, readRecipe, withRecipe } from '../../../../shared/recipe/asked.ts'
import { article } from '../../../../shared/recipe/presets.ts'
import { checkRecipe, recipeSchema, resumedRecipe } from '../../../../shared/recipe/recipe.ts'
import { knownRecipe, recipeOfCheckpoint } from '../../../../shared/recipe/stored.ts'
import { recipeKeys, recipeTable, type Recipe } from '../../../../shared/recipe/table.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'

const begun: Recipe = recipeSchema.parse({ ...article, engine: 'wasm' })

/** A value other than the article's for each ingredient of a recipe; a new ingredient without an entry here fails to compile. */
const others: { [K in keyof Recipe]: Recipe[K] } = {
  ...begun, ...{
    model: 'tiny', init: 'he', freeze: ['backbone'], imageSize: 64, imageSizes: [{ from: 1, size: 32 }], mix: { name: 'cutMix', alpha: 1, probability: 1 }, epochs: 3, earlyStop: 5, batch: 32, lanes: 4, sampling: 'balanced', lr: 0.01, lrOf: [{ parameters: 'backbone', rate: 0.001 }], clip: 1, optimizer: { name: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 0 }, schedule: { name: 'cosine', warmupEpochs: 1, floor: 0, epochs: 50 }, loss: { name: 'focal', gamma: 2 }, labelSmoothing: 0.1, seed: 7, precision: 'bf16', numerics: 'portable', compress: 'bf16', compressWeights: 'int8', engine: 'native',
    threads: 2, testFraction: 0.5, onNonfinite: 'skip', augmentation: begun.augmentation.slice(1), evaluation: begun.evaluation.map((spec) => (spec.name === 'resize' ? { ...spec, shortSide: 1 } : spec)),
  },
}

async function file(t: TestContext, content: unknown): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'herd-recipe-'))
  t.after(() => rm(folder, { recursive: true }))
  const name = path.join(folder, 'recipe.json')
  await writeFile(name, typeof content === 'string' ? content : JSON.stringify(content))
  return name
}

for (const key of recipeKeys) {
  test(`a resumed run keeps its ${key} when nothing is said, and ${recipeTable[key].mayChange ? 'takes another' : 'refuses another'}`, () => {
    const changed = { ...begun, [key]: others[key] }
    assert.notDeepEqual(others[key], begun[key], 'the test has another value')
    assert.deepEqual(resumedRecipe({ ...begun, [key]: others[key] }, new Set(), begun, 'f'), begun, 'what is a default was not asked for')
    if (recipeTable[key].mayChange) assert.deepEqual(resumedRecipe(changed, new Set([key]), begun, 'f'), changed)
    else {
      assert.throws(() => resumedRecipe(changed, new Set([key]), begun, 'the-checkpoint'), (error: unknown) => error instanceof UsageError && /^--[a-z-]+ .+: the run of the-checkpoint began with .+; leave the option out to resume it\.$/s.test(error.message))
    }
    assert.deepEqual(resumedRecipe(begun, new Set([key]), begun, 'f'), begun, 'the same value may be said again')
  })
}

test('auto is whatever a run began with', () => {
  assert.deepEqual(resumedRecipe({ ...begun, engine: 'auto', precision: 'auto' }, new Set(['engine', 'precision']), begun, 'f'), begun)
})

test('a recipe of a file stands below single options, and above the defaults', async (t) => {
  const recipe = await file(t, { batch: 16, lanes: 4, seed: 3 })
  const { options, given } = withRecipe({ ...begun, engine: 'auto' as const, batch: 8, recipe }, new Set(['batch']))
  assert.deepEqual([options.batch, options.lanes, options.seed, options.epochs], [8, 4, 3, article.epochs])
  assert.deepEqual(given, new Set(['batch', 'lanes', 'seed']))
})

test('what is wrong with a recipe is told with its place, its value and what was expected', () => {
  const problems: string[] = []
  parseRecipe({ batch: 0, lrr: 1, optimizer: { name: 'adam', beta1: 2 }, engine: 'auto', precision: 'f64', augmentation: [{ name: 'flip', probability: 3 }, ...article.evaluation] }, problems)
  assert.deepEqual(problems.map((problem) => problem.replace(/(parts are ).*/, '$1...')), [
    'batch: 0: expected a whole number from 1 to 65536.',
    'lrr: there is no such part of a recipe; the parts are ...',
    'optimizer.beta1: 2: Too big: expected number to be <1.',
    'precision: "f64": expected one of f32, bf16, auto.',
    'augmentation[0].probability: 3: Too big: expected number to be <=1.',
  ])
  for (const json of [[], 5, null]) {
    const found: string[] = []
    parseRecipe(json, found)
    assert.deepEqual(found, ['expected an object with any parts of a recipe, e.g. {"batch": 32}.'])
  }
})

test('a recipe that is neither known nor a file, and one that is no JSON, are refused', async (t) => {
  assert.throws(() => readRecipe('of-tomorrow'), /--recipe of-tomorrow: neither a recipe that comes with Herd \(article, modern, finetune\) nor a file that can be read: ENOENT/)
  const broken = await file(t, '{"batch": ')
  assert.throws(() => readRecipe(broken), new RegExp(`--recipe ${broken} is not JSON`))
  assert.deepEqual(readRecipe('article'), {})
})

test('the recipe finetune is a whole one, with every part that it does not say from the article', () => {
  const finetune = { ...article, ...readRecipe('finetune') }
  const network = buildNetwork(finetune.model, { imageSize: finetune.imageSize, classes: 3 })
  assert.equal(network.name, 'efficientnet_lite0')
  const decided = recipeSchema.parse({ ...finetune, init: { file: finetune.init, sha256: '0'.repeat(64) }, engine: 'native' })
  assert.deepEqual([decided.schedule, decided.optimizer], [{ name: 'oneCycle', peakAt: 0.3, startFactor: 0.04, endFactor: 4e-6 }, { name: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 }])
  checkRecipe(decided)
})

test('a network of a file takes the number of classes and the image size of the run', async (t) => {
  const model = readModel(await file(t, { name: 'mine', layers: [{ type: 'conv2d', filters: 4, kernel: 3 }, { type: 'relu' }, { type: 'globalAveragePool' }, { type: 'dense', units: 'classes' }] }))
  const network = buildNetwork(model, { imageSize: 32, classes: 7 }, { labelSmoothing: 0.1 })
  assert.deepEqual([network.name, network.imageSize, network.classes, network.labelSmoothing], ['mine', 32, 7, 0.1])
  assert.deepEqual(network.layers[3], { type: 'dense', units: 7, bias: true })
  assert.throws(() => buildNetwork({ name: 'mine', layers: [{ type: 'conv2d', filters: 0, kernel: 3 }], mean: [0, 0, 0], std: [1, 1, 1] }, { imageSize: 8, classes: 2 }), /network "mine": layers\[0\]\.?filters/)
  const unnamed = await file(t, { layers: [] })
  assert.throws(() => readModel(unnamed), /--model .*network\.name: nothing/)
  assert.throws(() => buildNetwork('mine', { imageSize: 8, classes: 2 }), /--model "mine" is unknown: choose one of article, herd, tiny, .*, or a JSON file\./)
})

test('the recipe of an older run stands among its other options, and what it does not say was as in the article', () => {
  const unsaid = ['numerics', 'clip', 'optimizer', 'schedule', 'labelSmoothing', 'augmentation', 'evaluation']
  const old = Object.fromEntries(Object.entries(begun).filter(([key]) => !unsaid.includes(key)))
  assert.deepEqual(recipeOfCheckpoint({ ...old, workers: 3, out: 'runs/first' }, 'f'), begun)
  assert.deepEqual(recipeOfCheckpoint({ recipe: begun, batch: 1 }, 'f'), begun)
  assert.throws(() => recipeOfCheckpoint({ ...old, compressWeights: 'fp16' }, 'f'), /begun with --compress-weights fp16, which/)
  assert.throws(() => recipeOfCheckpoint({ ...old, compress: 'fp16' }, 'f'), (error: unknown) => error instanceof CheckpointError && /^f was begun with --compress fp16, which this version of Herd does not have: expected one of none, bf16, int8\. Go on/.test(error.message))
  assert.deepEqual(knownRecipe({ batch: 4, lanes: 'many', model: 'of tomorrow' }), { batch: 4, model: 'of tomorrow' })
})
