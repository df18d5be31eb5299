import { address, choice, flag, logFormat, optionalWhole, size, text, whole, type OptionValues } from '../shared/command/options.ts'
import { cacheSize } from '../shared/command/cache_option.ts'
import { accessOptions } from '../shared/wire/client_access.ts'

/** The worker's options. The coordinator decides how a run computes: network, precision, threads, engine. */
export const workerOptions = {
  coordinator: address('Where the coordinator listens.', '127.0.0.1:7070'),
  ...accessOptions,
  data: text('<folder>', 'A copy of the data set on this machine; without it, images are fetched from the coordinator.'),
  name: text('<name>', 'How the worker is called (default: the name in its certificate, else host name and process id).'),
  engine: choice('Refuse a run that computes on another engine.', ['auto', 'native', 'wasm'], 'auto'),
  gpu: optionalWhole('<index>', 'GPU to compute on (default: one CPU core).', { min: 0, max: 255 }),
  cache: text('<folder>', "Where decoded and fetched images and results of data checks are kept (default: the user's cache folder)."),
  cacheSize,
  imageCacheSize: size('Limit of the image files that were fetched from the coordinator, in the cache folder.', '2GB'),
  patience: whole('<seconds>', 'How long to keep trying to reach the coordinator.', { min: 0 }, 60),
  metricsPort: optionalWhole('<port>', 'Serve Prometheus metrics at http://127.0.0.1:<port>/metrics.', { min: 0, max: 65535 }),
  metricsHost: { ...text('<host>', 'Address for --metrics-port.'), fallback: '127.0.0.1' },
  logFormat,
  quiet: flag('Print warnings and errors only.'),
  verbose: flag('Print details, and stack traces of errors.'),
} as const

export type WorkerOptions = OptionValues<typeof workerOptions>
