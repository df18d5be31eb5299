import { addOptions, givenOptions, readOptions } from '../shared/command/options.ts'
import { createProgram } from '../shared/command/program.ts'
import { withRecipe } from '../shared/recipe/asked.ts'
import { checkOptions, coordinatorOptions } from './options.ts'

const examples = `
Examples:
  coordinator --data raw-img --local-workers 2            two workers on this machine
  coordinator --data raw-img --single-node                one process, no sockets
  HERD_TOKEN=... coordinator --data raw-img --out runs/first --workers 4 --listen 0.0.0.0:7070
                                                          wait for four workers from other machines
  coordinator --data raw-img --out runs/first --resume latest

Each option can also stand in the environment (HERD_...) or in the file given by --config.
Exit codes: 0 done, 1 the run failed, 2 the command line is wrong, 130/143 stopped by a signal after saving a checkpoint.`

/** Runs the command `coordinator`. @param argv arguments after the program's name @returns the exit code */
export async function main(argv: string[]): Promise<number> {
  const command = createProgram('coordinator')
    .description('Trains an image classifier on a cluster: shards the images over workers, all-reduces their gradients, steps the weights.')
    .addHelpText('after', examples)
  addOptions(command, coordinatorOptions)
  command.parse(argv, { from: 'user' })
  const { options, given } = withRecipe(readOptions(command, coordinatorOptions), givenOptions(command, coordinatorOptions))
  checkOptions(options)
  // The modules of a run are loaded only once the command line has proved right.
  const { coordinate } = await import('./daemon.ts')
  return coordinate(options, given)
}
