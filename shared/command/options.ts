import { readFileSync } from 'node:fs'
import { Option, type Command } from 'commander'
import { z } from 'zod'
import { messageOf, UsageError } from '../kit/errors.ts'
import { parseJsonFile } from '../kit/json.ts'
import { logFormats } from '../kit/log_options.ts'

/**
 * A command-line option as data. It can be given on the command line, as HERD_NAME in the environment, or in the file named by
 * --config (JSON, keys as on the command line without the leading dashes, or in camel case); the first of these wins.
 */
export interface OptionSpec<T> {
  /** Placeholder for the value in the help, e.g. "<folder>"; absent for a switch, which takes no value. */
  placeholder?: string
  description: string
  /** End of the error message "--name value: expected ...". */
  expects: string
  schema: z.ZodType<T>
  fallback: T
  /** The fallback as people write it, if that differs from `String(fallback)`. */
  shown?: string
  /** Writes a value as on the command line, if that differs from `String(value)`. */
  written?(value: T): string
  /** True if the option may be given several times, and has a list of values. */
  repeated?: true
}
/** An option whose value can also be a field of a JSON document; `value` is its schema there, where numbers are numbers and not text. */
export interface ValueSpec<T> extends OptionSpec<T> {
  value: z.ZodType<T>
}
export type OptionSpecs = Record<string, OptionSpec<unknown>>
export type OptionValues<S> = { [K in keyof S]: S[K] extends OptionSpec<infer T> ? T : never }

const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
/** Writes the name of an option as on the command line. */
export function optionName(key: string): string {
  return `--${kebab(key)}`
}
const camel = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
const variable = (key: string): string => `HERD_${kebab(key).replaceAll('-', '_').toUpperCase()}`

/** Numbers come as text from the command line and the environment, as numbers from a file. */
const numeric = z.union([z.number(), z.string().trim().min(1).transform(Number)])

/** Declares an option for a whole number. @param limits both inclusive */
export function whole(placeholder: string, description: string, limits: { min: number; max?: number }, fallback: number): ValueSpec<number> {
  const value = z.int().min(limits.min).max(limits.max ?? Number.MAX_SAFE_INTEGER)
  const expects = limits.max === undefined ? `a whole number of at least ${limits.min}` : `a whole number from ${limits.min} to ${limits.max}`
  return { placeholder, description, expects, value, schema: numeric.pipe(value), fallback }
}

/** Declares an option for a whole number that may be left out, and is undefined then. @param limits both inclusive */
export function optionalWhole(placeholder: string, description: string, limits: { min: number; max: number }): OptionSpec<number | undefined> {
  const expects = `a whole number from ${limits.min} to ${limits.max}`
  return { placeholder, description, expects, schema: numeric.pipe(z.int().min(limits.min).max(limits.max)).optional(), fallback: undefined }
}

/** Declares an option for any number that `value` accepts. @param expects see `OptionSpec` */
export function real(placeholder: string, description: string, expects: string, value: z.ZodType<number, number>, fallback: number): ValueSpec<number> {
  return { placeholder, description, expects, value, schema: numeric.pipe(value), fallback }
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/**
 * Declares an option for a number of bytes, written with a unit, or as 0. In a configuration file, a bare number is bytes.
 * @param fallback default as people write it, e.g. "10GB"
 */
export function size(description: string, fallback: string): OptionSpec<number> {
  const written = z.string().transform((value, context) => {
    const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*((?:[KMGT]i?)?B)\s*$/.exec(value) ?? []
    if (number !== undefined) return Math.round(Number(number) * UNITS[unit])
    if (value.trim() === '0') return 0
    context.addIssue({ code: 'custom' })
    return z.NEVER
  })
  const schema = z.union([z.number(), written]).pipe(z.int().min(0))
  return { placeholder: '<size>', description, expects: 'a size with its unit, e.g. 500MB, 20GB or 1TiB, or 0', schema, fallback: schema.parse(fallback), shown: fallback, written: (bytes) => `${bytes}B` }
}

/** Declares an option for a share, written as a percentage. In a configuration file, a bare number is the share itself, from 0 to 1. */
export function share(description: string, fallback: string): OptionSpec<number> {
  const percentage = z.string().regex(/^\s*(\d+(\.\d+)?\s*%|0)\s*$/).transform((value) => Number.parseFloat(value) / 100)
  const schema = z.union([z.number(), percentage]).pipe(z.number().min(0).max(1))
  return { placeholder: '<percent>', description, expects: 'a percentage from 0% to 100%, e.g. 1%', schema, fallback: schema.parse(fallback), shown: fallback, written: (value) => `${value * 100}%` }
}

/** Declares an option for text that may be left out, and is undefined then. */
export function text(placeholder: string, description: string): OptionSpec<string | undefined> {
  return { placeholder, description, expects: 'some text', schema: z.string().min(1).optional(), fallback: undefined }
}

/** Declares an option for text that may be given several times, and is undefined if it is not given. */
export function texts(placeholder: string, description: string): OptionSpec<readonly string[] | undefined> {
  return { placeholder, description, expects: 'some text', schema: z.array(z.string().min(1)).optional(), fallback: undefined, repeated: true }
}

/** Declares an option for one of several words. */
export function choice<const T extends string>(description: string, choices: readonly T[], fallback: T): ValueSpec<T> {
  return { placeholder: `<${choices.join('|')}>`, description, expects: `one of ${choices.join(', ')}`, value: z.enum(choices), schema: z.enum(choices), fallback }
}

/** Declares an option whose value is a structure in JSON, or a name that stands for one: on the command line, only the name. */
export function named<T>(placeholder: string, description: string, expects: string, value: z.ZodType<T>, fallback: T & string): ValueSpec<T> {
  return { placeholder, description, expects, value, schema: value, fallback }
}

/**
 * Declares an option whose value is a structure. On the command line it is JSON, or only the name of a kind, whose parameters then have
 * their defaults; "none" is null.
 * @param fallback default as it is written in JSON
 * @param shown default as people write it
 */
export function structured<T>(placeholder: string, description: string, expects: string, value: z.ZodType<T>, fallback: unknown, shown = shownPart(fallback)): ValueSpec<T> {
  const schema = z.unknown().transform((given) => (typeof given === 'string' ? fromText(given) : given)).pipe(value)
  return { placeholder, description, expects, value, schema, fallback: value.parse(fallback), shown }
}

const namedKind = z.object({ name: z.string() })

function shownPart(fallback: unknown): string {
  return namedKind.safeParse(fallback).data?.name ?? (fallback === null ? 'none' : JSON.stringify(fallback))
}

function fromText(given: string): unknown {
  if (given === 'none') return null
  try {
    return JSON.parse(given) as unknown
  } catch {
    return { name: given }
  }
}

/**
 * Declares an option whose value is a list, which is empty by default. On the command line its items stand between commas, or the option is given several times; "none" is the empty list.
 * @param item schema of an item in JSON
 * @param text how an item is written on the command line: `read` makes of it what `item` then checks
 */
export function list<T>(placeholder: string, description: string, expects: string, item: z.ZodType<T>, text: { read(text: string): unknown; write(item: T): string }): ValueSpec<readonly T[]> {
  const value = z.array(item)
  const itemsOf = (given: unknown): unknown[] => (typeof given === 'string' ? given.split(',').map((each) => text.read(each.trim())) : [given])
  const schema = z.unknown().transform((given) => ([given].flat().join() === 'none' ? [] : [given].flat().flatMap(itemsOf))).pipe(value)
  return { placeholder, description, expects, value, schema, fallback: [], shown: 'none', written: (items) => items.map((each) => text.write(each)).join(','), repeated: true }
}

/** Declares a switch, which is off by default. */
export function flag(description: string): OptionSpec<boolean> {
  const spelled = z.string().toLowerCase().pipe(z.enum(['true', 'yes', 'on', '1', 'false', 'no', 'off', '0'])).transform((value) => ['true', 'yes', 'on', '1'].includes(value))
  return { description, expects: 'true or false', schema: z.union([z.boolean(), spelled]), fallback: false }
}

/** The option --log-format: the form of a program's messages. */
export const logFormat = choice('pretty is for people; json writes one record a line to standard error, and nothing else.', logFormats, 'pretty')

/** Declares an option for a network address to listen on or to connect to, HOST:PORT. */
export function address(description: string, fallback: string): OptionSpec<string> {
  const schema = z.string().refine((value) => parseAddress(value) !== undefined)
  return { placeholder: '<host:port>', description, expects: 'HOST:PORT with a port from 0 to 65535, e.g. 127.0.0.1:7070', schema, fallback }
}

/** Splits HOST:PORT; an IPv6 address stands in brackets, which the result's host lacks. @returns undefined if the text is not of this form */
export function parseAddress(value: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):(\d{1,5})$/.exec(value)
  if (match === null || Number(match[2]) > 65535) return undefined
  return { host: match[1].replace(/^\[|\]$/g, ''), port: Number(match[2]) }
}

/**
 * Declares the options, and --config, on a command.
 * @param environment variables that mean nothing are removed from it: empty ones, which Compose files make of ones that are not set, and the
 *   addresses (tcp://...) that Kubernetes puts there for a service whose name happens to make the name of an option, such as herd-metrics
 */
export function addOptions(command: Command, specs: OptionSpecs, environment: NodeJS.ProcessEnv = process.env): void {
  for (const key of [...Object.keys(specs), 'config']) {
    const value = environment[variable(key)]
    if (value === '' || /^(tcp|udp|sctp):\/\/\S+:\d+$/.test(value ?? '')) delete environment[variable(key)]
  }
  for (const [key, spec] of Object.entries(specs)) {
    const flags = spec.placeholder === undefined ? `--${kebab(key)}` : `--${kebab(key)} ${spec.placeholder}`
    const option = new Option(flags, spec.description).env(variable(key))
    if (spec.fallback !== undefined && spec.fallback !== false) option.default(spec.fallback, spec.shown)
    if (spec.repeated === true) option.argParser((value, before: string[] | undefined) => [...(before ?? []), value])
    command.addOption(option)
  }
  command.addOption(new Option('--config <file>', 'JSON file with any of these options; the command line and the environment win over it.').env('HERD_CONFIG'))
}

/**
 * Reads the options of a parsed command and checks each of them.
 * @throws UsageError that names the option, its value and what was expected, or says what is wrong with the --config file.
 */
export function readOptions<S extends OptionSpecs>(command: Command, specs: S): OptionValues<S> {
  const given: Record<string, unknown> = command.opts()
  const file = typeof given['config'] === 'string' ? readConfigFile(given['config'], specs) : new Map<string, unknown>()
  const values: Record<string, unknown> = {}
  for (const [key, spec] of Object.entries(specs)) {
    const source = command.getOptionValueSource(key)
    const fromOutside = source !== undefined && source !== 'default'
    // Commander turns a switch on if its variable is set at all, whatever its value, so the value is read here.
    const isSwitchFromEnvironment = source === 'env' && spec.placeholder === undefined
    const raw = isSwitchFromEnvironment ? process.env[variable(key)] : fromOutside ? given[key] : (file.get(key) ?? spec.fallback)
    const result = spec.schema.safeParse(raw)
    if (!result.success) throw new UsageError(`${source === 'env' ? variable(key) : `--${kebab(key)}`} ${String(raw)}: expected ${spec.expects}.`)
    values[key] = result.data
  }
  return values as OptionValues<S>
}

/**
 * Lists the options that were given, on the command line, in the environment or in the --config file, rather than left at their defaults.
 * @throws UsageError if the --config file cannot be used.
 */
export function givenOptions(command: Command, specs: OptionSpecs): Set<string> {
  const config: unknown = command.opts()['config']
  const file = typeof config === 'string' ? readConfigFile(config, specs) : new Map<string, unknown>()
  const outside = (key: string): boolean => ![undefined, 'default'].includes(command.getOptionValueSource(key))
  return new Set(Object.keys(specs).filter((key) => outside(key) || file.has(key)))
}

function readConfigFile(file: string, specs: OptionSpecs): Map<string, unknown> {
  let content: unknown
  try {
    content = parseJsonFile(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`--config ${file} cannot be read as JSON: ${messageOf(error)}`)
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(content)
  if (!parsed.success) throw new UsageError(`--config ${file}: expected an object of options, e.g. {"batch": 32}.`)
  const options = new Map(Object.entries(parsed.data).map(([name, value]) => [camel(name), value]))
  for (const name of options.keys()) {
    if (!Object.hasOwn(specs, name)) throw new UsageError(`--config ${file}: there is no option "${kebab(name)}"; see --help.`)
  }
  return options
}

/** Writes the options as a table in Markdown, for the documentation. */
export function optionTable(specs: OptionSpecs): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const rows = Object.entries(specs).map(([key, { placeholder, description, fallback, shown: asWritten }]) => {
    const shown = fallback === undefined || fallback === false ? '' : (asWritten ?? String(fallback))
    return `| \`--${kebab(key)}${placeholder === undefined ? '' : ` ${cell(placeholder)}`}\` | ${shown} | ${cell(description)} |\n`
  })
  return ['| option | default | meaning |\n', '| --- | --- | --- |\n', ...rows].join('')
}
