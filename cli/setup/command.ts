import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { Command, Option } from 'commander'
import * as z from 'zod'
import { UsageError } from '../../shared/kit/errors.ts'
import { logFormats } from '../../shared/kit/log_options.ts'
import { npmPackageOf, releaseFor } from './releases.ts'
import { createLogReporter, createReporter } from './reporter.ts'
import { setUp } from './setup.ts'

const SWITCHES = ['gpu', 'force', 'quiet', 'require', 'ownInstaller'] as const

const optionsSchema = z.object({
  gpu: z.boolean().default(false),
  force: z.boolean().default(false),
  quiet: z.boolean().default(false),
  require: z.boolean().default(false),
  ownInstaller: z.boolean().default(false),
  logFormat: z.enum(logFormats).default('pretty'),
  wheel: z.string().min(1, '--wheel: expected the path of a wheel, or of a folder with wheels').optional(),
})

/** The command `herd setup`. It sets `process.exitCode` to 1 when --require is given and there is no native engine. */
export function setupCommand(): Command {
  return new Command('setup')
    .addOption(switchOption('--gpu', 'TensorFlow with CUDA for tfjs-node-gpu (2.4 GB to download, 3.8 GB on disk)'))
    .addOption(
      new Option('--wheel <path>', 'take the TensorFlow wheel from a file, or all wheels from a folder, instead of a download').env(
        'HERD_SETUP_WHEEL',
      ),
    )
    .addOption(switchOption('--force', 'do it again, even where it is done or has just failed'))
    .addOption(switchOption('--own-installer', "if nothing else works, run tfjs-node's own installer: an older TensorFlow from its host, without a pinned checksum"))
    .addOption(switchOption('--require', 'exit with 1 when there is no native engine, instead of leaving it to wasm'))
    .addOption(new Option('--log-format <pretty|json>', 'pretty is for people, json is one record a line on standard error').choices(logFormats).env('HERD_LOG_FORMAT'))
    .addOption(switchOption('--quiet', 'say only what is wrong'))
    .addHelpText(
      'after',
      `
Downloads are kept per user (HERD_CACHE names another folder): a second clone only links to them.

Examples:
  herd setup                        get it, if it is not there
  herd setup --wheel ~/downloads    on a machine without network
  herd setup --gpu --require        on a machine with an NVIDIA GPU`,
    )
    .action(async (_given: unknown, command: Command) => {
      const options = parseOptions(command)
      const variant = options.gpu ? 'gpu' : 'cpu'
      const engine = await setUp(
        {
          variant,
          release: releaseFor(`${process.platform}-${process.arch}`, variant),
          packageFolder: packageFolderOf(npmPackageOf(variant)),
          wheel: options.wheel,
          force: options.force,
          ownInstaller: options.ownInstaller,
          environment: process.env,
        },
        options.logFormat === 'json' ? createLogReporter((await import('../../shared/kit/log.ts')).createLog({ ...options, verbose: false, logFormat: 'json' })) : createReporter(process.stdout, process.stderr, options.quiet),
      )
      if (engine === 'wasm' && options.require) process.exitCode = 1
    })
}

function switchOption(flag: string, description: string): Option {
  return new Option(flag, description).env(environmentNameOf(flag.slice(2)))
}

/** Name of a switch's variable. @param option as on the command line, or in camel case */
function environmentNameOf(option: string): string {
  return `HERD_SETUP_${option.replace(/(?<=[a-z])(?=[A-Z])|-/g, '_').toUpperCase()}`
}

function parseOptions(command: Command): z.infer<typeof optionsSchema> {
  const values: Record<string, unknown> = { ...command.opts() }
  for (const name of SWITCHES) {
    // commander takes any value of the environment variable for "on".
    if (command.getOptionValueSource(name) === 'env') values[name] = switchInEnvironment(environmentNameOf(name))
  }
  const parsed = optionsSchema.safeParse(values)
  if (!parsed.success) throw new UsageError(parsed.error.issues.map((issue) => issue.message).join('; '))
  return parsed.data
}

function switchInEnvironment(variable: string): boolean {
  const value = process.env[variable] ?? ''
  if (/^(1|true|yes|on)$/i.test(value)) return true
  if (/^(|0|false|no|off)$/i.test(value)) return false
  throw new UsageError(`${variable}=${value}: expected 1, true, yes or on, or else 0, false, no or off`)
}

/** Folder of an installed package; undefined if it is not installed. */
function packageFolderOf(name: string): string | undefined {
  const require = createRequire(import.meta.url)
  for (const folder of require.resolve.paths(name) ?? []) {
    const description = `${folder}/${name}/package.json`
    if (existsSync(description)) return dirname(description)
  }
  return undefined
}
