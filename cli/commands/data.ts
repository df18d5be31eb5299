import { Command } from 'commander'
import { z } from 'zod'
import { displayName } from '../../shared/data/class_names.ts'
import { openDataset, type Dataset } from '../../shared/data/dataset.ts'
import { countByClass } from '../../shared/data/split.ts'
import { drawDataset, MAX_PER_CLASS } from '../draw/dataset.ts'
import { flag, real, whole } from '../../shared/command/options.ts'
import { DataError } from '../../shared/kit/errors.ts'
import { cacheFolder } from '../../shared/kit/paths.ts'
import { commandOf, require, requiredText, type Notices } from '../command.ts'
import { counted, print, printJson, tableOf } from '../output.ts'

/** `herd data`: checks a folder of images, or draws one. */
export function dataCommand(): Command {
  return new Command('data').addCommand(checkCommand()).addCommand(drawCommand())
}

const checkCommand = (): Command =>
  commandOf({
    name: 'check <folder>',
    argument: 'images: class/*.jpg, or train/class/*.jpg and test/class/*.jpg',
    description: 'look at every image of a data set: counts per class, unreadable files, digest; exit code 0 when it can be trained on',
    options: {
      testFraction: real('<share>', 'Share of the images held out for testing, chosen by a hash of their path.', 'a number above 0 and below 1', z.number().gt(0).lt(1), 0.2),
      json: flag('Print one JSON object, for machines.'),
    },
    examples: ['herd data check raw-img', 'herd data check raw-img --test-fraction 0.1 --json'],
    async run(options, notices, [folder]) {
      try {
        const dataset = await open(folder, options.testFraction, notices)
        if (options.json) printJson({ usable: true, ...reportOf(dataset) })
        else describe(dataset).forEach(print)
        return true
      } catch (error) {
        if (options.json && error instanceof DataError) printJson({ usable: false, error: error.message })
        throw error
      }
    },
  })

async function open(folder: string, testFraction: number, notices: Notices): Promise<Dataset> {
  const progress = notices.progress('checking images')
  try {
    const { dataset } = await openDataset(folder, { testFraction, cacheFolder: cacheFolder(), warn: (message) => notices.log.warn(message), onProgress: progress.update })
    return dataset
  } finally {
    progress.end()
  }
}

function reportOf(dataset: Dataset): object {
  const counts = countByClass(dataset.classes, dataset.samples)
  return {
    folder: dataset.root,
    images: dataset.samples.length,
    train: dataset.train.length,
    test: dataset.test.length,
    classes: Object.fromEntries(dataset.classes.map((name, index) => [name, counts[index]])),
    unreadable: dataset.skipped.map(({ path, reason }) => ({ path, reason })),
    notices: dataset.notices,
    digest: dataset.digest,
  }
}

function describe(dataset: Dataset): string[] {
  const counts = countByClass(dataset.classes, dataset.samples)
  const rows = dataset.classes.map((name, index) => [displayName(name), String(counts[index].train), String(counts[index].test)])
  return [
    `${dataset.root}: ${counted(dataset.samples.length, 'image')} in ${counted(dataset.classes.length, 'class')}`,
    '',
    ...tableOf([['class', 'train', 'test'], ...rows, ['total', String(dataset.train.length), String(dataset.test.length)]]),
    '',
    ...(dataset.skipped.length === 0 ? [] : [`${counted(dataset.skipped.length, 'unreadable file')}, left out of training and testing:`, ...dataset.skipped.map(({ reason }) => `  ${reason}`), '']),
    ...(dataset.notices.length === 0 ? [] : [...dataset.notices, '']),
    `digest ${dataset.digest}`,
  ]
}

const drawCommand = (): Command =>
  commandOf({
    name: 'draw',
    description: 'draw the built-in data set: ten animals, in the layout of Animals-10; what is there already is kept',
    options: {
      out: requiredText('<folder>', 'New folder, or one drawn before with the same seed; gets raw-img/<class>/*.jpeg. Required.', 'a folder'),
      perClass: whole('<images>', 'Images of each class.', { min: 1, max: MAX_PER_CLASS }, 200),
      seed: whole('<number>', 'Decides every image.', { min: 0, max: 4294967295 }, 0),
    },
    examples: ['herd data draw --out data', 'herd data draw --out data --per-class 1000 --seed 7', 'coordinator --data data --local-workers 2     train on it'],
    async run(options, notices) {
      const out = require(options.out, 'out', 'a folder for the images, e.g. --out data.')
      const progress = notices.progress('drawing images')
      try {
        const { images, folder } = await drawDataset({ out, perClass: options.perClass, seed: options.seed, onProgress: progress.update })
        print(`${folder}: ${counted(images, 'image')}, seed ${options.seed}.`)
      } finally {
        progress.end()
      }
      return true
    },
  })
