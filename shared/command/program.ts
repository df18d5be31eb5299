import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Command, CommanderError } from 'commander'
import { z } from 'zod'
import { HerdError, messageOf } from '../errors.ts'
import { createLog, logFormats } from '../log.ts'

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
    if (!(error instanceof CommanderError) || !/help|version/.test(error.code)) tell(error, process.exitCode, settingsOf(argv, process.env))
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof HerdError) return error.exitCode
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return 1
}

function tell(error: unknown, exitCode: number, { verbose, logFormat }: Settings): void {
  if (logFormat === 'json') {
    createLog({ quiet: false, verbose, logFormat }).error({ exitCode, ...(verbose ? { err: error } : {}) }, describe(error).replace(/^error: /, ''))
  } else {
    process.stderr.write(`${verbose && error instanceof Error ? (error.stack ?? error.message) : describe(error)}\n`)
  }
}

function describe(error: unknown): string {
  if (error instanceof HerdError) return `error: ${error.message}`
  if (error instanceof CommanderError) return error.message
  return `unexpected error: ${messageOf(error)}\nThis is a defect in Herd; --verbose shows where it happened.`
}

const settingsSchema = z.object({
  verbose: z.union([z.literal([true, 'true', '1']).transform(() => true), z.unknown().transform(() => false)]),
  logFormat: z.enum(logFormats).catch('pretty'),
})
type Settings = z.infer<typeof settingsSchema>

/** How errors are to be told, as far as the options can be read: they may be what is wrong. In the order of all options. */
function settingsOf(argv: readonly string[], environment: NodeJS.ProcessEnv): Settings {
  const { values } = parseArgs({ args: [...argv], strict: false, options: { verbose: { type: 'boolean' }, 'log-format': { type: 'string' }, config: { type: 'string' } } })
  const file = fileSettings(values['config'] ?? environment['HERD_CONFIG'])
  return settingsSchema.parse({
    verbose: values['verbose'] ?? environment['HERD_VERBOSE'] ?? file['verbose'],
    logFormat: values['log-format'] ?? environment['HERD_LOG_FORMAT'] ?? file['log-format'] ?? file['logFormat'],
  })
}

function fileSettings(file: unknown): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(z.string().parse(file), 'utf8')))
  } catch {
    return {}
  }
}
