import { dirname } from 'node:path'
import type { Command } from 'commander'
import { makeFolders } from '../../shared/kit/folders.ts'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { flag, text, whole } from '../../shared/command/options.ts'
import { messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { missingGlyphsNotice } from '../../shared/pictures/missing_glyphs.ts'
import { predictionSheet, type SheetPrediction } from '../../shared/pictures/prediction_sheet.ts'
import { printable } from '../../shared/pictures/text.ts'
import { likeliest } from '../../shared/evaluation/probabilities.ts'
import { classify } from '../classify.ts'
import { commandOf } from '../command.ts'
import { askedImages, type Asked } from '../images.ts'
import { inferenceOptions, openCheckpoint, openModel } from '../inference.ts'
import { print } from '../output.ts'
import { csvPredictions, jsonPredictions, plainLines, type PredictionLines } from '../prediction_lines.ts'

/** Most images on a contact sheet: more could not be made out. */
const SHEET_IMAGES = 96
/** Most characters to which paths are padded, so that the columns after them line up. */
const PATH_COLUMN = 50

/** `herd predict`: classifies images with the weights of a checkpoint. Exit code 1 if an image could not be read. */
export const predictCommand = (): Command =>
  commandOf({
    name: 'predict [image...]',
    argument: "image files, folders with images, patterns such as 'photos/**/*.jpg', or - for an image on standard input; without any, standard input has their paths, one a line",
    options: {
      ...inferenceOptions,
      top: whole('<count>', 'Classes to print for each image, the likeliest first.', { min: 1 }, 1),
      sheet: text('<file.png>', `Draw a contact sheet of the images (the first ${SHEET_IMAGES}) with their predictions.`),
      json: flag('Print one JSON object a line, for machines.'),
      csv: flag('Print comma-separated values, with a line of headings.'),
    },
    examples: [
      'herd predict --checkpoint runs/first/checkpoints/latest.ckpt photo.jpg',
      'herd predict --checkpoint runs/first/checkpoints/latest.ckpt --top 3 --sheet sheet.png holidays/',
      'HERD_CHECKPOINT=latest.ckpt herd predict --json *.jpg',
      "herd predict --checkpoint latest.ckpt --csv 'photos/**/*.jpg' > predictions.csv",
      'find photos -newer last.txt -name "*.jpg" | herd predict --checkpoint latest.ckpt',
      'curl -s https://example.org/cat.jpg | herd predict --checkpoint latest.ckpt -',
    ],
    async run(options, { log, progress }, given) {
      const { sheet } = options
      if (options.json && options.csv) throw new UsageError('--json and --csv exclude each other: choose one.')
      if (sheet !== undefined && !/\.png$/i.test(sheet)) throw new UsageError(`--sheet ${sheet}: expected a file name that ends in .png.`)
      const opened = await openCheckpoint(options.checkpoint)
      const { classes } = opened.checkpoint
      if (options.top > classes.length) throw new UsageError(`--top ${options.top}: expected at most ${classes.length}, the number of classes in ${opened.file}.`)
      const asked = await askedImages(given, process.stdin)
      const model = await openModel(opened, options, log)

      const lines = linesOf(options, asked)
      if (lines.header !== undefined) print(lines.header)
      const drawn: SheetPrediction[] = []
      let failed = 0
      // The printed results themselves show the progress on a terminal.
      const bar = process.stdout.isTTY ? undefined : progress('predicting')
      let done = 0
      for await (const outcome of classify(model, asked, sheet === undefined ? 0 : SHEET_IMAGES)) {
        const { path } = outcome
        bar?.update(++done, asked.length)
        if (outcome.problem !== undefined) {
          failed++
          log.error(printable(outcome.problem))
          const line = lines.failed(path, outcome.problem)
          if (line !== undefined) print(line)
          continue
        }
        const top = likeliest(outcome.probabilities, classes, options.top)
        const [best] = top
        print(lines.classified(path, top))
        if (outcome.tile !== undefined) drawn.push({ image: outcome.tile, predicted: best.class, probability: best.probability })
      }
      bar?.end()
      if (sheet !== undefined && drawn.length > 0) {
        await writeSheet(sheet, drawn)
        const missingGlyphs = await missingGlyphsNotice(classes)
        if (missingGlyphs !== undefined) log.warn(missingGlyphs)
        log.info(`${sheet} shows ${drawn.length === asked.length - failed ? 'them all' : `the first ${drawn.length}`}.`)
      }
      return failed === 0
    },
  })

function linesOf({ json, csv, top }: { json: boolean; csv: boolean; top: number }, asked: readonly Asked[]): PredictionLines {
  if (csv) return csvPredictions(top)
  return json ? jsonPredictions : plainLines(asked.reduce((longest, { path }) => Math.min(PATH_COLUMN, Math.max(longest, path.length)), 0))
}

/** Draws the contact sheet into a PNG file, which replaces an existing one atomically. @throws RunError if it cannot be written. */
async function writeSheet(file: string, predictions: readonly SheetPrediction[]): Promise<void> {
  const png = await predictionSheet(predictions)
  try {
    await makeFolders(dirname(file))
    await writeAtomically(file, [png])
  } catch (error) {
    throw new RunError(`--sheet ${file} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}
