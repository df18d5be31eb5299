import { z } from 'zod'
import { address, choice, flag, logFormat, optionalWhole, real, share, text, whole, type OptionValues } from '../shared/command/options.ts'
import { cacheSize } from '../shared/command/cache_option.ts'
import { portableObstacle } from '../shared/engine/portable.ts'
import { UsageError } from '../shared/kit/errors.ts'
import { checkRecipe } from '../shared/recipe/recipe.ts'
import { recipeOptions, type Recipe } from '../shared/recipe/table.ts'
import { MAX_REDUCERS } from '../shared/wire/messages.ts'

/** The coordinator's options: one table for the command line, the environment, the config file, and config.json. */
export const coordinatorOptions = {
  data: { ...text('<folder>', 'Folder of images: class/*.jpg, or train/class/*.jpg and test/class/*.jpg.'), expects: 'a folder of images' },
  out: text('<folder>', 'Folder of the run (default: runs/<date>-<time>).'),
  workers: optionalWhole('<count>', 'Wait for this many workers that are started elsewhere (default: 1).', { min: 1, max: 4096 }),
  localWorkers: optionalWhole('<count>', 'Start this many workers on this machine.', { min: 1, max: 256 }),
  singleNode: flag('Train on this machine alone, without sockets or workers: the same result.'),
  reducers: whole('<count>', 'Sum gradients and step weights in this many processes, each for a range of the parameters; 1: in this one. The result is the same.', { min: 1, max: MAX_REDUCERS }, 1),
  reducersElsewhere: flag('Wait for the --reducers to be started elsewhere, as `reducer --coordinator HOST:PORT`, rather than start them on this machine.'),
  sharedMemory: choice('auto: workers on this machine exchange gradients and weights with the coordinator through its memory; off: through sockets, as others do.', ['auto', 'off'], 'auto'),
  minWorkers: optionalWhole('<count>', 'Begin as soon as this many workers are in (default: all of --workers or --local-workers).', { min: 1, max: 4096 }),
  waitForWorkers: optionalWhole('<seconds>', 'With too few workers to begin, or none left, save and fail after this long (default: wait for ever).', { min: 1, max: 31_536_000 }),
  listen: address('Where workers reach the coordinator; port 0 takes a free one.', '127.0.0.1:7070'),
  tokenFile: text('<file>', 'File with the token that workers must present, or with several, each behind a name or not; the environment variable HERD_TOKEN can have the token itself.'),
  tlsCert: text('<file>', "The coordinator's certificate, PEM: workers connect by TLS. `herd certs` makes it, and the next two."),
  tlsKey: text('<file>', 'The key of --tls-cert, PEM.'),
  tlsCa: text('<file>', 'Workers must present a certificate of this authority, PEM: mutual TLS.'),
  deny: text('<file>', 'Identities that may not take part, one a line: names in certificates, of tokens, or of workers. It is read anew when it changes.'),
  insecure: flag('Listen beyond this machine without token or mutual TLS: whoever reaches the port can take part.'),
  maxWorkers: whole('<count>', 'No more workers than this are let in.', { min: 1, max: 4096 }, 256),
  recipe: text('<name|file>', 'A recipe that comes with Herd, or a JSON file with any of the options from here to --on-nonfinite; single options win over it (default: article).'),
  ...recipeOptions,
  gpu: optionalWhole('<index>', 'GPU to compute on with --single-node, or the first one for --local-workers.', { min: 0, max: 255 }),
  cacheSize: { ...cacheSize, description: 'Limit of the file of decoded images in the cache folder, of --single-node and --local-workers; 0: none.' },
  checkpointEvery: whole('<epochs>', 'Keep a numbered checkpoint every so many epochs; besides, the last three are kept, and one is saved after each epoch.', { min: 1 }, 10),
  checkpointMinutes: real('<minutes>', 'Save a checkpoint so often in mid-epoch too, fractions allowed; 0: only after each epoch.', 'a number of at least 0', z.number().min(0).finite(), 5),
  auditEvery: whole('<steps>', 'Note digests of weights and lanes every so many steps, and at each end of an epoch, for `herd verify`; 0: never.', { min: 0 }, 50),
  sign: text('<file>', 'Sign provenance.json with this Ed25519 key, PEM.'),
  resume: text('<latest|auto|file>', 'Go on from the latest checkpoint in --out, or from a file; auto: begin, or go on if --out has a run, so that a supervisor can repeat the command.'),
  silenceLimit: whole('<seconds>', 'A worker that is not heard of for this long is out, and its lanes are dealt again.', { min: 1, max: 86400 }, 10),
  allowMixedNumerics: flag('Take workers that compute other bits than the first one (another kind of processor, another version), and report it: the weights then depend on who computes what.'),
  verify: share('Have this share of all gradients computed a second time, by other workers, and compared: whoever sent something else is out, and the run goes back. 100%: each before it counts.', '0%'),
  stepEvents: flag('Note in events.jsonl too what is frequent: every step with its loss and its seconds, lanes that were taken over or dropped.'),
  metricsPort: optionalWhole('<port>', 'Serve Prometheus metrics at http://127.0.0.1:<port>/metrics.', { min: 0, max: 65535 }),
  metricsHost: { ...text('<host>', 'Address for --metrics-port.'), fallback: '127.0.0.1' },
  metricsTargets: text('<file>', "Keep a file of the workers' metrics addresses for Prometheus' file-based discovery."),
  httpPort: optionalWhole('<port>', 'Serve the live page: curves, workers, predictions, while the run goes on.', { min: 0, max: 65535 }),
  httpHost: { ...text('<host>', 'Address for --http-port; beyond this machine, the page asks for the token.'), fallback: '127.0.0.1' },
  pictures: choice('off: draw no plots and no test images with their predictions, which saves a short run a second or two.', ['on', 'off'], 'on'),
  trace: text('<file>', 'Write what every step spends its time on, on each worker, as a Chrome trace; Perfetto opens it.'),
  logFormat,
  quiet: flag('Print warnings and errors only.'),
  verbose: flag('Print details, and stack traces of errors.'),
} as const

export type CoordinatorOptions = OptionValues<typeof coordinatorOptions>
/** Options of a run after its recipe has been resolved. */
export type RunOptions = CoordinatorOptions & Recipe

/** Returns the number of workers with which a run begins. */
export function workersWanted({ minWorkers, localWorkers, workers }: Pick<CoordinatorOptions, 'minWorkers' | 'localWorkers' | 'workers'>): number {
  return minWorkers ?? localWorkers ?? workers ?? 1
}

/**
 * Checks the rules between options.
 * @throws UsageError that names the options and what to do
 */
export function checkOptions(options: CoordinatorOptions): void {
  if (options.data === undefined) throw new UsageError('--data is missing: expected a folder of images, e.g. --data raw-img. `npx herd data draw --out data` makes one to try.')
  checkRecipe(options)
  const obstacle = options.numerics === 'portable' ? portableObstacle({ precision: options.precision, threads: options.threads, onGpu: options.gpu !== undefined }) : undefined
  if (obstacle !== undefined) throw new UsageError(obstacle)
  const modes = [options.workers === undefined ? [] : ['--workers'], options.localWorkers === undefined ? [] : ['--local-workers'], options.singleNode ? ['--single-node'] : []].flat()
  if (modes.length > 1) throw new UsageError(`${modes.join(' and ')} exclude each other: choose one.`)
  const { maxWorkers } = options
  for (const [name, count] of [['workers', options.workers], ['local-workers', options.localWorkers]] as const) {
    if (count !== undefined && count > maxWorkers) throw new UsageError(`--${name} ${count}: expected at most --max-workers ${maxWorkers}; raise it for a larger cluster.`)
  }
  if (options.localWorkers !== undefined && options.tlsCert !== undefined && options.tlsCa === undefined) {
    throw new UsageError('--local-workers with --tls-cert needs --tls-ca, the authority by which local workers know the coordinator.')
  }
  if (options.reducers > 1 && options.singleNode) throw new UsageError(`--reducers ${options.reducers} and --single-node exclude each other: a single node computes and reduces in one process.`)
  if (options.reducersElsewhere && options.reducers === 1) throw new UsageError('--reducers-elsewhere needs --reducers, how many: expected at least 2.')
  if (options.reducers > 1 && options.tlsCert !== undefined && options.tlsCa === undefined) {
    throw new UsageError(`--reducers ${options.reducers} with --tls-cert needs --tls-ca, the authority by which reducers know the coordinator.`)
  }
  if (options.tlsCa !== undefined && options.tlsCert === undefined) throw new UsageError(`--tls-ca ${options.tlsCa} needs --tls-cert and --tls-key: without them there is no TLS.`)
  const all = options.localWorkers ?? options.workers ?? 1
  if (options.minWorkers !== undefined && options.minWorkers > all) {
    throw new UsageError(`--min-workers ${options.minWorkers}: expected at most ${all}, the number of ${options.localWorkers === undefined ? '--workers' : '--local-workers'}.`)
  }
  if ((options.resume === 'latest' || options.resume === 'auto') && options.out === undefined) throw new UsageError(`--resume ${options.resume} needs --out with the folder of the run to go on with.`)
}
