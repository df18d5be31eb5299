import path from 'node:path'
import { readReported } from '../../live/report/reported.ts'
import { reportPage } from '../../live/report/report.ts'
import { flag, text } from '../../shared/command/options.ts'
import { makeFolders } from '../../shared/kit/folders.ts'
import { shownPath } from '../../shared/kit/paths.ts'
import { svgOf } from '../../shared/pictures/drawing.ts'
import { writeWhole } from '../../shared/run_folder/json_files.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'
import { commandOf } from '../command.ts'
import { computingOptions } from '../inference.ts'
import { measureRun, requireSomething } from '../measured.ts'
import { print } from '../output.ts'

/** `herd report`: writes the page about a run, for which it evaluates the run's last checkpoint. */
export const reportCommand = () =>
  commandOf({
    name: 'report <run>',
    argument: 'folder of a run, finished or not',
    options: {
      data: text('<folder>', "The run's images (default: where the run had them)."),
      out: text('<file>', "File to write (default: report.html in the run's folder)."),
      asIs: flag("Compute nothing: show what the run's files tell."),
      ...computingOptions,
    },
    examples: ['herd report runs/first', 'herd report runs/first --out first.html --as-is', 'herd report runs/first --data /mnt/raw-img'],
    async run({ asIs, out, ...options }, notices, [run]) {
      const clock = (): Date => new Date()
      const folder = await RunFolder.open(run, clock, 'expected the folder of a run, e.g. runs/first: what its coordinator was given as --out.')
      const read = await readReported(folder, clock(), { events: true })
      const measured = asIs ? undefined : await measureRun(folder, read.config, options, notices)
      const reported = measured === undefined ? read : { ...read, ...measured, view: { ...read.view, evaluation: measured.evaluation } }
      requireSomething(reported)
      const page = await reportPage(reported, (drawing) => Promise.resolve(svgOf(drawing)), clock())
      const file = out ?? folder.reportFile
      await makeFolders(path.dirname(path.resolve(file)))
      await writeWhole(file, Buffer.from(page))
      print(shownPath(file))
      return true
    },
  })
