import assert from 'node:assert/strict'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { comparePage } from '../../../../live/report/compare.ts'
import { comparisonOf } from '../../../../live/report/comparison.ts'
import { reportPage } from '../../../../live/report/report.ts'
import { readReported, type Reported } from '../../../../live/report/reported.ts'
import { valueText } from '../../../../live/report/run_sections.ts'
import { calibrationOf } from '../../../../shared/evaluation/calibration.ts'
import { countPredictions } from '../../../../shared/evaluation/confusion.ts'
import { svgOf, type Drawing } from '../../../../shared/pictures/drawing.ts'
import { article } from '../../../../shared/recipe/presets.ts'
import { partsOf } from '../../../../shared/recipe/differences.ts'
import { RunFolder } from '../../../../shared/run_folder/run_folder.ts'
import type { HistoryLine, ShownPrediction } from '../../../../shared/run_folder/schemas.ts'
import { temporaryFolder } from '../../shared/checkpoint/example.ts'

const NOW = new Date('2026-01-01T10:00:00Z')
const DIGEST = 'd'.repeat(64)
/** A class of a stranger's folder. */
const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\'{}</style>'
const draw = (drawing: Drawing): Promise<string> => Promise.resolve(svgOf(drawing))

const line = (epoch: number, testAccuracy: number): HistoryLine => ({
  epoch, step: 3 * epoch, skippedSteps: 0, trainLoss: 2 / epoch, trainAccuracy: 0.5, testLoss: 2.5 / epoch, testAccuracy, learningRate: 0.001, images: 9, seconds: 1.5, imagesPerSecond: 6, workers: 2,
})
const picture = (truth: string, predicted: string): ShownPrediction => ({ path: `${truth}/1.jpg`, truth, predicted, probability: 0.93, image: 'QUJD' })

interface MadeUp {
  name?: string
  classes?: string[]
  recipe?: Record<string, unknown>
  digest?: string
}

/** Makes a run's folder with three epochs, as its coordinator leaves it. */
async function make(t: TestContext, { name = 'first', classes = ['cane', 'gatto'], recipe = {}, digest = DIGEST }: MadeUp = {}): Promise<RunFolder> {
  const folder = await RunFolder.create(path.join(await temporaryFolder(t), name), () => NOW)
  await folder.writeConfig({ recipe: { ...article, engine: 'wasm', model: 'tiny', imageSize: 32, epochs: 3, batch: 4, lanes: 2, ...recipe }, classes, trainImages: 9, testImages: 4, verify: 0.05, datasetDigest: 'e'.repeat(64) })
  for (const [index, accuracy] of [0.25, 0.75, 0.5].entries()) await folder.appendHistory(line(index + 1, accuracy))
  const predictions = [[0, 0], [0, 1], [1, 1], [1, 1]].map(([label, predicted]) => ({ label, predicted }))
  await folder.writeEvaluation({ epoch: 3, classes, ...countPredictions(predictions, classes.length), predictions: [picture(classes[0], classes[0]), picture(classes[0], classes[1])] })
  await folder.writeSummary({
    digest, epochs: 3, steps: 9, skippedSteps: 0, trainLoss: 0.7, testLoss: 0.8, testAccuracy: 0.5, perClass: {}, images: 27, imagesPerSecond: 6, seconds: 4.5, engine: 'wasm', device: 'cpu', precision: 'f32',
    lanes: 2, batch: 4, workers: 3, lanesComputed: 18, lanesCounted: 17, lanesRecomputed: 1, lanesTakenOver: 0, workersLost: 1, restarts: 2, fingerprints: ['a'], digests: { step: 9, lines: 4, hash: 'c'.repeat(64) },
  })
  await folder.appendEvent('started', { runId: 'x', images: 9, testImages: 4, classes, parameters: 5 })
  await folder.appendEvent('workerLost', { worker: 'rack <1>', workers: 1, reason: 'it fell silent' })
  await folder.appendEvent('finished', { digest, epochs: 3, seconds: 4.5 })
  return folder
}

/** The report, with details that the files of a run do not have. */
async function withDetails(folder: RunFolder, classes: readonly string[]): Promise<Reported> {
  const calibration = calibrationOf([{ label: 0, predicted: 0, probability: 0.9 }, { label: 0, predicted: 1, probability: 0.6 }])
  const wrong = picture(classes[0], classes[1])
  return { ...(await readReported(folder, NOW, { events: true })), details: { calibration, mistakes: { first: [wrong], count: 7 }, doubts: { first: [{ ...wrong, labelProbability: 0.02 }], count: 1 } }, measured: undefined }
}

/** Text of the page, as somebody reads it: tags are left out. */
function textOf(page: string): string {
  return page.replaceAll(/<style>[^]*?<\/style>/g, '').replaceAll(/<[^>]*>/g, ' ').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll(/\s+/g, ' ')
}

test('a report has every part, from the files of the run and what was measured', async (t) => {
  const page = await reportPage(await withDetails(await make(t), ['cane', 'gatto']), draw, NOW)
  const text = textOf(page)
  for (const heading of ['curves', 'classes', 'confusion', 'calibration', 'random', 'mistakes', 'labels', 'time', 'recipe', 'cluster', 'digest']) assert.match(page, new RegExp(`<section id="${heading}" aria-labelledby="${heading}-heading">`))
  assert.match(text, /Test accuracy 50\.0 % best 75\.0 % in epoch 2/)
  // cane: 2 images, 1 taken for it, 1 right; gatto: 2 images, 3 taken for it, 2 right.
  assert.match(text, /cane \(dog\) 2 1 1 100\.0 % 50\.0 % 66\.7 %/)
  assert.match(text, /gatto \(cat\) 2 3 2 66\.7 % 100\.0 % 80\.0 %/)
  assert.match(text, /macro\) +83\.3 % 75\.0 % 73\.3 %/)
  assert.match(text, /cane \(dog\) gatto \(cat\) 1 50\.0 %/)
  assert.match(text, /Expected calibration error: 35\.0 % \. On the whole it is 25\.0 % surer than it is right\./)
  assert.match(text, /The surest 1 of 7 wrong predictions\./)
  assert.match(text, /labelled cane \(dog\) 2 % taken for gatto \(cat\) 93 %/)
  assert.match(text, /3 at most, 1 lost .*Restarts 2 .*18 computed, 17 counted, 1 again after a loss/)
  assert.match(text, /5 % of what workers sent was computed by another one, too/)
  assert.match(text, /worker rack <1> is lost: it fell silent; 1 left\./i)
  assert.ok(text.includes(DIGEST) && text.includes('c'.repeat(64)))
  assert.equal(page.match(/<svg /g)?.length, 4)
  assert.equal(page.match(/src="data:image\/webp;base64,QUJD"/g)?.length, 4)
  assert.doesNotMatch(text, /undefined|NaN|\[object/)
})

test('a report needs no other file, no host and no script, and says so to the browser', async (t) => {
  const page = await reportPage(await withDetails(await make(t), ['cane', 'gatto']), draw, NOW)
  assert.match(page, /^<!doctype html>\n<html lang="en">/)
  assert.match(page, /<meta http-equiv="Content-Security-Policy" content="default-src &apos;none&apos;; style-src &apos;unsafe-inline&apos;; img-src data:; base-uri &apos;none&apos;; form-action &apos;none&apos;">/)
  assert.doesNotMatch(page.replaceAll(/xmlns(:xlink)?="[^"]*"/g, ''), /<script|<link|<iframe|https?:|\son\w+=|@import|url\((?!#)/i)
  const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)
  assert.equal(new Set(ids).size, ids.length, 'each id is there once')
})

test('names of strangers stay text, wherever they stand', async (t) => {
  const classes = [HOSTILE, `${HOSTILE}\u0000\u202e2`]
  const folder = await make(t, { classes, name: "it's <b>mine" })
  const page = await reportPage(await withDetails(folder, classes), draw, NOW)
  assert.doesNotMatch(page, /<script|<img src=x|<b>mine/)
  assert.equal(page.match(/<\/style>/g)?.length, 1)
  assert.ok(textOf(page).includes('onerror=alert(2)'), 'they can be read')
  assert.ok(page.includes("/it&apos;\\&apos;&apos;s &lt;b&gt;mine/checkpoints/latest.ckpt&apos;"), 'a path that a shell would read otherwise is quoted')
  assert.doesNotMatch(page, /\u0000/)
  const reported = await readReported(folder, NOW, { events: true })
  assert.doesNotMatch(await comparePage(comparisonOf([reported, reported]), [reported, reported], draw, NOW), /<script|<b>mine/)
})

test('what is missing is said, and how to get it', async (t) => {
  const folder = await make(t)
  const text = textOf(await reportPage(await readReported(folder, NOW, { events: true }), draw, NOW))
  for (const heading of ['Calibration', 'Most confident mistakes', 'Likely wrong labels']) assert.match(text, new RegExp(`${heading} [^.]+\\. npx herd report \\S+ evaluates the last checkpoint`))
  assert.match(text, /After epoch 3, as the run evaluated it\./)
  const empty = await RunFolder.create(path.join(await temporaryFolder(t), 'empty'), () => NOW)
  const bare = textOf(await reportPage(await readReported(empty, NOW, { events: true }), draw, NOW))
  assert.match(bare, /No epoch has ended yet\. .*The run has no evaluation yet\. .*The run has not finished: it has no digest yet\./)
})

test('of a thousand classes, those that are predicted worst are listed, and the page stays small', async (t) => {
  const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`)
  const folder = await make(t, { classes })
  const predictions = classes.flatMap((_, label) => [0, 1, 2].map((image) => ({ label, predicted: label % 20 === 0 && image > 0 ? (label + image) % 1000 : label })))
  await folder.writeEvaluation({ epoch: 3, classes, ...countPredictions(predictions, 1000), predictions: [] })
  const page = await reportPage(await readReported(folder, NOW, { events: false }), draw, NOW)
  const text = textOf(page)
  assert.match(text, /Of 1,000 classes, the 40 with the lowest F1\. .*class 0 3 1 1 100\.0 % 33\.3 % 50\.0 %/)
  assert.doesNotMatch(text, /class 555 3/)
  assert.match(text, /Confusion matrix of the 40 most confused of 1000 classes/)
  assert.ok(page.length < 1_000_000, `${page.length} characters`)
})

test('parts of a recipe that are not as by default come first, and what the machine decides is not among them', () => {
  const parts = partsOf({ ...article, engine: 'native', batch: 32, schedule: { name: 'cosine', warmupEpochs: 1, floor: 0, epochs: 50 } })
  assert.deepEqual(parts.filter(({ isStandard }) => !isStandard).map(({ key }) => key), ['batch', 'schedule'])
  assert.equal(parts.findIndex(({ isStandard }) => isStandard), 2)
  assert.deepEqual(['cosine', null, 0.5, undefined, { name: 'sgd', momentum: 0.9 }, [{ name: 'flip', p: 0.3 }, { name: 'crop' }]].map(valueText), ['cosine', 'none', '0.5', '–', 'sgd (momentum 0.9)', 'flip (p 0.3), crop'])
})

test('a comparison tells figures, the parts of the recipes that differ, and which runs have the same weights', async (t) => {
  const folders = [await make(t, { recipe: { labelSmoothing: undefined } }), await make(t, { name: 'second', recipe: { lr: 0.003 } }), await make(t, { name: 'third', recipe: { lr: 0.003, clip: 1 }, digest: 'a'.repeat(64) })]
  const reported = await Promise.all(folders.map((folder) => readReported(folder, NOW, { events: true })))
  const comparison = comparisonOf(reported)
  assert.deepEqual(comparison.differences, [{ key: 'lr', values: [article.lr, 0.003, 0.003] }, { key: 'clip', values: [null, null, 1] }])
  assert.deepEqual(comparison.sameWeights, ['first and second have the same weights, bit for bit.'])
  const [first] = comparison.runs
  assert.deepEqual({ ...first, folder: '', macroF1: first.macroF1?.toFixed(4) }, {
    name: 'first', folder: '', state: 'finished', epochs: 3, testAccuracy: 0.5, bestTestAccuracy: 0.75, bestEpoch: 2, macroF1: '0.7333', testLoss: 0.8, trainLoss: 0.7, imagesPerSecond: 6, seconds: 4.5, workers: 3, digest: DIGEST,
  })
  const page = await comparePage(comparison, reported, draw, NOW)
  assert.match(textOf(page), /3 runs compared .*clip none none 1 /)
  assert.equal(page.match(/<svg /g)?.length, 3)
  for (const svg of page.match(/<svg [^]*?<\/svg>/g) ?? []) for (const name of ['first', 'second', 'third']) assert.match(svg, new RegExp(`>${name}<`), 'the legend names the run')
})

test('runs of one name are told apart by their folders, and in the legend by numbers', async (t) => {
  const folders = [await make(t), await make(t)]
  const reported = await Promise.all(folders.map((folder) => readReported(folder, NOW, { events: true })))
  assert.deepEqual(comparisonOf(reported).runs.map(({ name }) => name), folders.map((folder) => folder.path))
  const svg = svgOf({ picture: 'compared', figure: 'testLoss', runs: reported.map(({ view }) => ({ name: 'first', history: view.history })) })
  assert.ok(svg.includes('>1: first<') && svg.includes('>2: first<'))
})
