import { shownPath } from '../shared/kit/paths.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import type { BestEpoch } from './contract/best_epoch.ts'
import type { Console } from './watch/console.ts'

export interface RunResult {
  /** Path of the predictions; undefined if no pictures were drawn. */
  sheet: string | undefined
  digest: string
  /** Test accuracy at the end, from 0 to 1. */
  accuracy: number
  /** The epoch with the highest test accuracy; undefined if no epoch was trained. */
  best: BestEpoch | undefined
}

/** Prints the result of a run, the paths of its pictures, and commands to try next. */
export function printEnd(console: Console, folder: RunFolder, { sheet, digest, accuracy, best }: RunResult): void {
  console.print('')
  console.print(`Test accuracy ${(accuracy * 100).toFixed(1)} %. Digest of the weights: ${digest}`, { testAccuracy: accuracy, digest, folder: folder.path })
  if (sheet !== undefined) {
    console.print(`  curves       ${folder.plotsFolder}/loss.png, accuracy.png, confusion.png`)
    console.print(`  predictions  ${sheet}`)
    console.print(`  report       ${folder.reportFile}`)
  }
  console.print(`  checkpoint   ${folder.checkpoints.latest}`)
  if (best?.isLast === false) console.print(`  best         ${folder.checkpoints.best}: ${(best.accuracy * 100).toFixed(1)} % after epoch ${best.epoch}`)
  console.print(`Look at it again: npx herd show ${shownPath(folder.path)}`)
  console.print('Try it on an image of your own:')
  console.print(`  npx herd predict --checkpoint ${folder.checkpoints.latest} photo.jpg`)
}
