import { shownPath } from '../shared/kit/paths.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import type { Console } from './watch/console.ts'

/** Prints the result of a run, the paths of its pictures, and commands to try next. @param sheet path of the predictions; undefined if no pictures were drawn @param accuracy test accuracy, from 0 to 1 */
export function printEnd(console: Console, folder: RunFolder, sheet: string | undefined, digest: string, accuracy: number): void {
  console.print('')
  console.print(`Test accuracy ${(accuracy * 100).toFixed(1)} %. Digest of the weights: ${digest}`, { testAccuracy: accuracy, digest, folder: folder.path })
  if (sheet !== undefined) {
    console.print(`  curves       ${folder.plotsFolder}/loss.png, accuracy.png, confusion.png`)
    console.print(`  predictions  ${sheet}`)
  }
  console.print(`  checkpoint   ${folder.checkpoints.latest}`)
  console.print(`Look at it again: npx herd show ${shownPath(folder.path)}`)
  console.print('Try it on an image of your own:')
  console.print(`  npx herd predict --checkpoint ${folder.checkpoints.latest} photo.jpg`)
}
