import { Command, CommanderError } from 'commander'
import { HerdError } from '../kit/errors.ts'

/** Creates the command-line parser of a program. It throws its errors rather than print them; `runProgram` reports them. */
export function createProgram(name: string): Command {
  return new Command(name).exitOverride().configureOutput({ outputError: () => undefined })
}

/**
 * Runs a program's main function and sets the exit code by how it ended. Errors for people are one or two lines; a stack
 * trace appears only with --verbose.
 * @param main returns the exit code.
 */
export async function runProgram(main: (argv: string[]) => Promise<number>, argv: string[]): Promise<void> {
  try {
    process.exitCode = await main(argv)
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    // Commander also throws once it has printed the help or the version: neither is an error.
    if (!(error instanceof CommanderError) || !/help|version/.test(error.code)) (await import('./failure.ts')).tellFailure(error, process.exitCode, argv, process.env)
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof HerdError) return error.exitCode
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return 1
}
