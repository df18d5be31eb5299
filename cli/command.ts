import { Command } from 'commander'
import { progressPlace, startProgress, type Progress } from '../shared/command/progress.ts'
import { addOptions, flag, logFormat, readOptions, text, type OptionSpec, type OptionSpecs, type OptionValues } from '../shared/command/options.ts'
import { UsageError } from '../shared/kit/errors.ts'
import { createLog, type Log } from '../shared/kit/log.ts'
import type { LogFormat } from '../shared/kit/log_options.ts'

/** Options that every command has besides its own. */
const commonOptions = {
  logFormat: { ...logFormat, description: 'Form of notices, on standard error: pretty is for people, json is one record a line.' },
  quiet: flag('Print results, warnings and errors only.'),
  verbose: flag('Print details, and stack traces of errors.'),
}

/** The log and the progress bars of a command, both on standard error. */
export interface Notices {
  log: Log
  logFormat: LogFormat
  progress: (what: string) => Progress
}

interface Declaration<S extends OptionSpecs> {
  /** Name, with its arguments, e.g. "check <folder>". */
  name: string
  /** One line for the help; undefined for top-level commands, which are described in commands.ts. */
  description?: string
  /** Description of the argument; undefined if the command has none. */
  argument?: string
  options: S
  /** Lines below the options in the help. */
  examples: readonly string[]
  /** @returns true (exit code 0) if everything could be done, false (exit code 1) if something could not. */
  run: (options: OptionValues<S>, notices: Notices, given: readonly string[]) => Promise<boolean>
}

/** Builds a command of `herd` with the common options. Like `herd setup`, it leaves its exit code in `process.exitCode`. */
export function commandOf<S extends OptionSpecs>({ name, description, argument, options, examples, run }: Declaration<S>): Command {
  const [word, ...placeholders] = name.split(' ')
  const specs = { ...options, ...commonOptions }
  const command = new Command(word)
  if (description !== undefined) command.description(description)
  for (const placeholder of placeholders) command.argument(placeholder, argument)
  addOptions(command, specs)
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`)
  return command.action(async () => {
    const values = readOptions(command, specs)
    const level: OptionValues<typeof commonOptions> = values
    const log = createLog(level)
    const place = progressPlace(process.stderr, log, level)
    const done = await run(values, { log, logFormat: level.logFormat, progress: (what) => startProgress(place, what) }, command.args)
    if (!done) process.exitCode = 1
  })
}

/** Declares an option that must be given; `require` checks that it was. */
export function requiredText(placeholder: string, description: string, expects: string): OptionSpec<string | undefined> {
  return { ...text(placeholder, description), expects }
}

/** Returns the value of a required option. @throws UsageError if it was not given. */
export function require(value: string | undefined, option: string, expects: string): string {
  if (value === undefined) throw new UsageError(`--${option} is missing: expected ${expects}`)
  return value
}
