import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CommanderError } from 'commander'
import { z } from 'zod'
import { HerdError, messageOf } from '../kit/errors.ts'
import { createLog } from '../kit/log.ts'
import { logFormats } from '../kit/log_options.ts'

/** Reports on standard error why a program failed, in the log format that its options ask for. */
export function tellFailure(error: unknown, exitCode: number, argv: readonly string[], environment: NodeJS.ProcessEnv): void {
  const { verbose, logFormat } = settingsOf(argv, environment)
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

/**
 * Finds out how errors are to be reported, as far as the options can be read: they may be what is wrong. The command line wins over the
 * environment, and that over the configuration file, as for all options.
 */
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
