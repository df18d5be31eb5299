import { addOptions, readOptions } from '../shared/command/options.ts'
import { createProgram } from '../shared/command/program.ts'
import { workerOptions } from './options.ts'

const examples = `
Examples:
  worker --coordinator 192.0.2.10:7070                  one CPU core, images from the coordinator
  worker --coordinator 192.0.2.10:7070 --data raw-img   with a copy of the data set of its own
  worker --coordinator 192.0.2.10:7070 --gpu 0          one GPU

Exit codes: 0 the run has finished, 1 failed, 2 the command line is wrong, 130/143 stopped by a signal.`

/**
 * Runs the program `worker`.
 * @param argv command line without node and the program's file
 * @returns the exit code
 */
export async function main(argv: string[]): Promise<number> {
  const command = createProgram('worker')
    .description('Computes lanes for a Herd coordinator, until its run ends. Start one for each CPU core or GPU.')
    .addHelpText('after', examples)
  addOptions(command, workerOptions)
  command.parse(argv, { from: 'user' })
  const options = readOptions(command, workerOptions)

  // The rest of the program is loaded only when the command line is valid.
  const { work } = await import('./work.ts')
  return work(options)
}
