import { Command } from 'commander'
import { progressPlace, startProgress, type Progress } from '../shared/command/progress.ts'
import { addOptions, flag, logFormat, readOptions, text, type OptionSpec, type OptionSpecs, type OptionValues } from '../shared/command/options.ts'
import { UsageError } from '../shared/kit/errors.ts'
import { createLog, type Log } from '../shared/kit/log.ts'
import type { LogFormat } from '../shared/kit/log_options.ts'

/** What every command of the tool has besides its own options. */
const commonOptions = {
  logFormat: { ...logFormat, description: 'Form of notices, on standard error: pretty is for people, json is one record a line.' },
  quiet: flag('Print results, warnings and errors only.'),
  verbose: flag('Print details, and stack traces of errors.'),
}

/** Where a command tells how it goes: both on standard error. */
export interface Notices {
  log: Log
  logFormat: LogFormat
  progress: (what: string) => Progress
}

interface Declaration<S extends OptionSpecs> {
  /** Name, with its arguments, e.g. "check <folder>". */
  name: string
  /** What it does; that of a command of the tool itself stands in commands.ts. */
  description?: string
  /** Description of the argument, where there is one. */
  argument?: string
  options: S
  /** Lines below the options in the help. */
  examples: readonly string[]
  /** @returns whether all could be done: exit code 0 or 1. */
  run: (options: OptionValues<S>, notices: Notices, given: readonly string[]) => Promise<boolean>
}

/** A command of the tool. As `herd setup`, it leaves its exit code in `process.exitCode`. */
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

/** An option without which a command cannot begin. */
export function requiredText(placeholder: string, description: string, expects: string): OptionSpec<string | undefined> {
  return { ...text(placeholder, description), expects }
}

/** @throws UsageError where a required option was not given. */
export function require(value: string | undefined, option: string, expects: string): string {
  if (value === undefined) throw new UsageError(`--${option} is missing: expected ${expects}`)
  return value
}
