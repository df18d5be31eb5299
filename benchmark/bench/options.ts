import { z } from 'zod'
import { compressions, type Compression } from '../../shared/compress/format.ts'
import { choice, flag, optionalWhole, text, whole, type OptionSpec, type OptionValues } from '../../shared/command/options.ts'
import { ENGINES } from './sections/step.ts'
import { STILL_STEPS } from './still_cluster.ts'

const USUAL_SECTIONS = ['step', 'cluster', 'exchange', 'limit', 'input'] as const
const SECTIONS = [...USUAL_SECTIONS, 'start', 'recovery', 'costs', 'scaling', 'network', 'data'] as const

/** An option with several values, separated by commas. */
function list<T>(placeholder: string, description: string, expects: string, item: z.ZodType<T>, fallback: T[]): OptionSpec<T[]> {
  const schema = z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(item).min(1))
  return { placeholder, description, expects, schema, fallback }
}

const count = z.union([z.number(), z.string().trim().min(1).transform(Number)]).pipe(z.int().min(1).max(1024))

const counts = (description: string, fallback: number[]): OptionSpec<number[]> =>
  list('<counts>', description, 'whole numbers from 1 to 1024, separated by commas', count, fallback)

export const benchOptions = {
  only: list('<sections>', 'Measure these only.', `some of ${SECTIONS.join(', ')}, separated by commas`, z.enum(SECTIONS), [...USUAL_SECTIONS]),
  rounds: whole('<count>', 'Turns of each contender.', { min: 1, max: 1000 }, 7),
  imageSize: whole('<pixels>', 'Height and width of images.', { min: 1, max: 4096 }, 256),
  engines: list('<engines>', "Herd's engines in one worker's step.", `some of ${ENGINES.join(', ')}, separated by commas`, z.enum(ENGINES), [...ENGINES]),
  batches: counts("Batches of one worker's step.", [8, 32]),
  gpu: optionalWhole('<index>', "GPU of one worker's step, Herd's graph and PyTorch (default: one core of the CPU).", { min: 0, max: 255 }),
  batch: whole('<images>', 'Batch of a cluster.', { min: 1, max: 1024 }, 32),
  lanes: counts('Lanes of a cluster that does the whole job.', [8, 2]),
  workers: counts('Workers, and processes of PyTorch, of the whole job.', [1, 2]),
  exchange: counts('Workers, and processes of gloo, of the exchange alone.', [2, 4]),
  reducers: counts('Reducers of the exchange alone: 1 is the coordinator itself.', [1]),
  compress: list<Compression>('<formats>', 'Formats of gradients and weights of the exchange alone.', `some of ${compressions.join(', ')}, separated by commas`, z.enum(compressions), ['none', 'bf16', 'int8']),
  steps: whole('<count>', 'Steps of a round of the exchange alone and of the limit.', { min: 1, max: 1000 }, STILL_STEPS),
  limit: counts('Simulated workers of one coordinator.', [1, 8, 16, 32, 64]),
  data: text('<folder>', 'Images of the input alone (default: drawn ones).'),
  dataSizes: list('<counts>', 'Made-up images of the data set that `data` starts with.', 'whole numbers from 1000 to 20000000, separated by commas', z.coerce.number().pipe(z.int().min(1000).max(20_000_000)), [1_300_000]),
  images: whole('<count>', 'As many images of the input alone.', { min: 1, max: 100_000 }, 256),
  precision: choice('auto: both where the processor has bfloat16, and on a GPU.', ['auto', 'f32', 'bf16', 'both'], 'auto'),
  python: text('<file>', 'An interpreter with PyTorch (default: the one of `npm run bench:peers`).'),
  withoutPeers: flag('Measure Herd alone, also where PyTorch is there.'),
  plan: text('<file>', 'Costs of a step, for `herd plan --measured`: `costs` writes them there, `scaling` and `network` are predicted from them (default: those that come with Herd).'),
  pictures: text('<folder>', 'Draw what `scaling` measures there.'),
  json: text('<file>', 'Write all figures of all rounds there.'),
  page: text('<file>', 'Put the tables into this Markdown page, between its two lines for them.'),
} as const

export type BenchOptions = OptionValues<typeof benchOptions>
