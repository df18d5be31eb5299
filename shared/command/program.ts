import { Command, CommanderError } from 'commander'
import { HerdError } from '../kit/errors.ts'

/** The command line of a program: what is wrong with it is thrown, and told by `runProgram`. */
export function createProgram(name: string): Command {
  return new Command(name).exitOverride().configureOutput({ outputError: () => undefined })
}

/**
 * Runs a program's main function and turns its end into an exit code: errors for people are one or two lines, a stack
 * trace comes only with --verbose.
 * @param main returns the exit code.
 */
export async function runProgram(main: (argv: string[]) => Promise<number>, argv: string[]): Promise<void> {
  try {
    process.exitCode = await main(argv)
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    // Help is no error, and stands there already.
    if (!(error instanceof CommanderError) || !/help|version/.test(error.code)) (await import('./failure.ts')).tellFailure(error, process.exitCode, argv, process.env)
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof HerdError) return error.exitCode
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return 1
}
