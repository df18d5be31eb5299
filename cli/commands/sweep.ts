import path from 'node:path'
import { article } from '../../shared/recipe/presets.ts'
import { flag, text } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { onStopSignal } from '../../shared/kit/stop_signals.ts'
import { lockRun } from '../../shared/run_folder/run_lock.ts'
import { RUNS_ROOT } from '../../shared/run_folder/run_folder.ts'
import type { Sweep } from '../../shared/run_folder/sweep.ts'
import { checkImages } from '../checked_images.ts'
import { commandOf, type Notices } from '../command.ts'
import { counted, print, printJson } from '../output.ts'
import { SweepFolder } from '../sweep/folder.ts'
import { trialImages } from '../sweep/images.ts'
import { bestCommand, SweepRecord } from '../sweep/record.ts'
import { bestOf } from '../sweep/results.ts'
import { readSpec, type SweepSpec } from '../sweep/spec.ts'
import { RunningSweep } from '../sweep/sweep.ts'
import { sweepTable } from '../sweep/table.ts'
import { trialsOf, type Trial } from '../sweep/trials.ts'

/** `herd sweep`: trains with many recipes, on the training part of the images alone, and says which is best. */
export const sweepCommand = () =>
  commandOf({
    name: 'sweep <file>',
    argument: 'JSON file that says which recipes are tried, and on what (docs/sweep.md)',
    options: {
      out: text('<folder>', 'Folder of the sweep, which goes on if it is there (default: runs/<name of the file>).'),
      json: flag('Print one JSON object, for machines: what sweep.json has.'),
    },
    examples: ['herd sweep lr.json', 'herd sweep lr.json --out runs/lr-again'],
    async run({ out, json }, notices, [file]) {
      const spec = readSpec(file)
      const trials = trialsOf(spec, file)
      const folder = await SweepFolder.open(out ?? path.join(RUNS_ROOT, path.basename(file).replace(/\.json$/i, '')))
      const lock = await lockRun(folder.path, { onWait: (message) => notices.log.info(message) })
      try {
        const sweep = await train(spec, trials, folder, notices)
        if (json) printJson(sweep)
        else tell(sweep, folder, spec)
        return sweep.trials.every(({ state }) => state !== 'failed')
      } finally {
        await lock.release()
      }
    },
  })

/** Trains what the sweep lacks, until it is finished or stopped. */
async function train(spec: SweepSpec, trials: readonly Trial[], folder: SweepFolder, notices: Notices): Promise<Sweep> {
  const testFraction = trials[0].recipe.testFraction ?? article.testFraction
  const share = { folder: path.resolve(spec.data), testFraction, validationShare: spec.validation }
  await requireSameImages(share, folder)
  for (const trial of trials) await folder.keepRecipe(trial)
  const images = await trialImages(spec.data, { testFraction, validation: spec.validation }, folder.imagesFolder)
  const { dataset } = await checkImages(images.folder, images.fraction, notices)
  const data = { ...share, training: dataset.train.length, validation: dataset.test.length, heldOut: images.heldOut }
  notices.log.info(`${counted(trials.length, 'trial')} with ${counted(spec.seeds.length, 'seed')}, each on ${counted(data.training, 'image')} and compared by ${data.validation}; ${data.heldOut} test images are left out.`)

  const progress = notices.progress('sweeping')
  const record = new SweepRecord(folder, spec, trials)
  const sweep: RunningSweep = new RunningSweep({ spec, trials, folder, images, data, log: notices.log, progress, onChange: () => record.keep(sweep) })
  const removeSignals = onStopSignal((signal, exitCode) => {
    progress.pause()
    notices.log.info(`${signal}: the runs that go on save and end; once more to end at once.`)
    process.exitCode = exitCode
    process.once('exit', () => sweep.abandon())
    sweep.stop()
  })
  try {
    await record.keep(sweep)
    await sweep.train()
  } finally {
    await sweep.close()
    progress.end()
    removeSignals()
    await record.finish(sweep)
  }
  return sweep.result
}

/** Refuses to go on with a sweep of other images. @throws UsageError that names what is another now */
async function requireSameImages(share: Pick<Sweep['data'], 'folder' | 'testFraction' | 'validationShare'>, folder: SweepFolder): Promise<void> {
  const begun = (await folder.readState())?.data
  if (begun === undefined) return
  const names = { folder: 'data', testFraction: 'testFraction', validationShare: 'validation' } as const
  for (const key of ['folder', 'testFraction', 'validationShare'] as const) {
    if (begun[key] !== share[key]) throw new UsageError(`${names[key]}: ${share[key]}: the sweep in ${shownPath(folder.path)} began with ${begun[key]}, and its trials can be compared on the same images only: give another --out.`)
  }
}

/** Prints the table, and what to do next. */
function tell(sweep: Sweep, folder: SweepFolder, spec: SweepSpec): void {
  sweepTable(sweep).forEach(print)
  print('')
  if (sweep.state === 'stopped') print('Stopped: the same command goes on.')
  print(`${sweep.measure} of validation: ${counted(sweep.data.validation, 'image')} of the training part. ${counted(sweep.data.heldOut, 'test image')} were left out.`)
  print(`  page    ${shownPath(folder.pageFile)}`)
  print(`  table   ${shownPath(folder.tableFile)}`)
  if (bestOf(sweep.trials) === undefined) return
  print(`  best    ${shownPath(folder.bestFile)}`)
  print('What it comes to, on images that no trial saw:')
  print(`  ${bestCommand(spec, folder)}`)
}
