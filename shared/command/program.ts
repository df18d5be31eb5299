import { CommanderError } from 'commander'
import { HerdError, messageOf } from '../errors.ts'

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
    // commander has printed its own message, and help is no error.
    if (!(error instanceof CommanderError)) process.stderr.write(`${describe(error, argv.includes('--verbose'))}\n`)
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof HerdError) return error.exitCode
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return 1
}

function describe(error: unknown, verbose: boolean): string {
  if (verbose && error instanceof Error) return error.stack ?? error.message
  if (error instanceof HerdError) return `error: ${error.message}`
  return `unexpected error: ${messageOf(error)}\nThis is a defect in Herd; --verbose shows where it happened.`
}
