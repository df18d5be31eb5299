import { addOptions, readOptions } from '../shared/command/options.ts'
import { createProgram } from '../shared/command/program.ts'
import { checkReducerOptions, reducerOptions } from './options.ts'

const examples = `
Examples:
  reducer --coordinator 192.0.2.10:7070 --listen 192.0.2.20:7071 --token-file herd.token

A coordinator that is started with --reducers starts them itself, on its own machine; with --reducers-elsewhere it waits for those
that are started like this.
Exit codes: 0 the run has finished, 1 failed, 2 the command line is wrong, 130/143 stopped by a signal.`

/** Runs the command `reducer`. @param argv arguments after the program's name @returns the exit code */
export async function main(argv: string[]): Promise<number> {
  const command = createProgram('reducer')
    .description('Sums the gradients of a range of the parameters for a Herd coordinator, and steps it, until its run ends.')
    .addHelpText('after', examples)
  addOptions(command, reducerOptions)
  command.parse(argv, { from: 'user' })
  const options = readOptions(command, reducerOptions)
  checkReducerOptions(options)
  // The modules of a reducer are loaded only once its command line has proved right.
  const { reduceRange } = await import('./daemon.ts')
  return reduceRange(options)
}
