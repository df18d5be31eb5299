import { z } from 'zod'
import { requireSameNetwork } from '../../shared/checkpoint/checkpoint.ts'
import { flag, choice, type OptionSpec } from '../../shared/command/options.ts'
import { displayName } from '../../shared/data/class_names.ts'
import type { Dataset } from '../../shared/data/dataset.ts'
import { evaluateBlock, type EvaluatedBlock } from '../../shared/evaluation/blocks.ts'
import { scoreClasses, scoreTest, type TestScore } from '../../shared/evaluation/score.ts'
import { checkImages } from '../checked_images.ts'
import { commandOf, require, requiredText } from '../command.ts'
import { evaluatedBlocks } from '../evaluated_blocks.ts'
import { DEFAULT_TEST_FRACTION, inferenceOptions, openCheckpoint, openModel, settingsOf, type TrainedModel } from '../inference.ts'
import { counted, percent, print, printJson, tableOf } from '../output.ts'

const testFraction: OptionSpec<number | undefined> = {
  placeholder: '<share>',
  description: "Share of the images that is the test split (default: the run's).",
  expects: 'a number above 0 and below 1',
  schema: z.union([z.number(), z.string().trim().min(1).transform(Number)]).pipe(z.number().gt(0).lt(1)).optional(),
  fallback: undefined,
}

const splits = ['test', 'train', 'all'] as const
type SplitChoice = (typeof splits)[number]

/** `herd evaluate`: computes loss and accuracy of a checkpoint on a data set. */
export const evaluateCommand = () =>
  commandOf({
    name: 'evaluate',
    options: {
      ...inferenceOptions,
      data: requiredText('<folder>', 'Data set with the classes of the checkpoint. Required.', 'a folder of images'),
      split: choice('Images to evaluate on.', splits, 'test'),
      testFraction,
      flips: flag('Report beside it what comes of averaging each image with its mirror image.'),
      json: flag('Print one JSON object, for machines.'),
    },
    examples: [
      'herd evaluate --checkpoint runs/first/checkpoints/latest.ckpt --data raw-img',
      'herd evaluate --checkpoint runs/first/checkpoints/epoch-0010.ckpt --data other-photos --split all --json',
    ],
    async run(options, notices) {
      const data = require(options.data, 'data', 'a folder of images, e.g. --data raw-img.')
      const opened = await openCheckpoint(options.checkpoint)
      const { checkpoint } = opened
      const runFraction = settingsOf(checkpoint).testFraction
      const fraction = options.testFraction ?? runFraction ?? DEFAULT_TEST_FRACTION

      const { dataset, source } = await checkImages(data, fraction, notices)
      requireSameNetwork(checkpoint, checkpoint.network, dataset.classes, opened.file)
      if (dataset.digest !== checkpoint.datasetDigest || (runFraction !== undefined && fraction !== runFraction)) {
        notices.log.info('These are not the images, or not the split, of the run: images it trained on may be among those of the test split.')
      }
      const ids = idsOf(dataset, options.split)
      const model = await openModel(opened, options, notices.log)
      const scoreOf = (blocks: EvaluatedBlock[]): TestScore => scoreTest(blocks, dataset.samples, ids, dataset.classes.length)
      const [plain, withFlips]: EvaluatedBlock[][] = [[], []]
      for await (const { labels, logits, averaged } of evaluatedBlocks(model, { dataset, source }, ids, options, notices)) {
        plain.push(evaluateBlock(checkpoint.network, logits, labels))
        if (averaged !== undefined) withFlips.push(evaluateBlock(checkpoint.network, averaged, labels))
      }
      const score = scoreOf(plain)
      const flipped = options.flips ? scoreOf(withFlips) : undefined
      if (options.json) printJson(reportOf(model, dataset, options.split, score, flipped))
      else describe(dataset, options.split, score, flipped).forEach(print)
      return true
    },
  })

function idsOf(dataset: Dataset, split: SplitChoice): number[] {
  return split === 'all' ? [...Array(dataset.samples.length).keys()] : dataset[split]
}

function reportOf({ file, checkpoint, compute }: TrainedModel, dataset: Dataset, split: SplitChoice, score: TestScore, withFlips: TestScore | undefined): object {
  const { kind, precision, threads, device } = compute.info
  return {
    checkpoint: file,
    epoch: checkpoint.position.epoch,
    step: checkpoint.position.step,
    data: dataset.root,
    datasetDigest: dataset.digest,
    split,
    images: score.predictions.length,
    loss: score.loss,
    accuracy: score.accuracy,
    ...(withFlips === undefined ? {} : { withFlips: { loss: withFlips.loss, accuracy: withFlips.accuracy } }),
    perClass: scoreClasses(score, dataset.classes),
    classes: dataset.classes,
    confusion: score.confusion,
    ...(score.cells === undefined ? {} : { cells: score.cells }),
    engine: kind, precision, threads, device,
  }
}

function describe(dataset: Dataset, split: SplitChoice, score: TestScore, withFlips: TestScore | undefined): string[] {
  const rows = Object.entries(scoreClasses(score, dataset.classes)).map(([name, { images, correct, accuracy }]) => [
    displayName(name), String(images), String(correct), images === 0 ? '-' : percent(accuracy),
  ])
  return [
    ...tableOf([['class', 'images', 'correct', 'accuracy'], ...rows]),
    '',
    `${split === 'all' ? 'all images' : `${split} split`}: ${counted(score.predictions.length, 'image')}  loss ${score.loss.toFixed(4)}  accuracy ${percent(score.accuracy)}`,
    ...(withFlips === undefined ? [] : [`with mirror images averaged: loss ${withFlips.loss.toFixed(4)}  accuracy ${percent(withFlips.accuracy)}`]),
  ]
}
