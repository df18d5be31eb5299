import type { Command } from 'commander'
import { z } from 'zod'
import { choice, flag, optionalWhole, whole, type OptionValues } from '../../shared/command/options.ts'
import { startCompute } from '../../shared/compute/start.ts'
import { inputFacts } from '../../shared/data/input_fingerprint.ts'
import { resolveEngine, type EngineRequest } from '../../shared/engine/create.ts'
import { numericsKinds } from '../../shared/engine/engine.ts'
import { engineInfoSchema } from '../../shared/engine/engine_info.ts'
import { portableObstacle } from '../../shared/engine/portable.ts'
import { EngineError, UsageError } from '../../shared/kit/errors.ts'
import type { Log } from '../../shared/kit/log.ts'
import { machineOf } from '../../shared/kit/machine.ts'
import { processorCaches, processorKind } from '../../shared/kit/processor.ts'
import { versionsOf } from '../../shared/kit/versions.ts'
import { buildNetwork } from '../../shared/model/models.ts'
import { article } from '../../shared/recipe/presets.ts'
import { commandOf } from '../command.ts'
import { print, printJson, tableOf } from '../output.ts'

const fingerprint = z.string().regex(/^[0-9a-f]{16}$/)

/** What `herd fingerprint --json` prints: this machine's kind, and the bits that it computes. */
export const machineFingerprintSchema = z.object({
  processor: z.object({ name: z.string(), kind: z.string(), extensions: z.array(z.string()), caches: z.array(z.string()) }),
  /** Herd, with its decoder of images; Node.js; platform. */
  versions: z.object({ herd: z.string(), node: z.string(), platform: z.string() }),
  /** Input fingerprint, of the article's transforms. */
  input: fingerprint,
  /** Numerics fingerprints: one for each way to compute. */
  numerics: z.array(z.object({ ...engineInfoSchema.omit({ mode: true }).shape, numerics: z.enum(numericsKinds), fingerprint })),
})
type MachineFingerprint = z.infer<typeof machineFingerprintSchema>
type Numerics = MachineFingerprint['numerics'][number]

const ANY = 'any'
const options = {
  engine: choice('auto: native, where it is installed, and wasm.', ['auto', 'native', 'wasm'], 'auto'),
  numerics: choice('native: by kernels for this processor; portable: by kernels that all processors have.', [ANY, ...numericsKinds], ANY),
  precision: choice('Arithmetic.', [ANY, 'f32', 'bf16'], ANY),
  threads: whole('<count>', 'Threads inside one operation, as in the run.', { min: 1, max: 1024 }, article.threads),
  gpu: optionalWhole('<index>', 'GPU to compute on.', { min: 0, max: 255 }),
  json: flag('Print one line of JSON.'),
}

/** All ways to compute that there are. wasm has the same kernels on all processors. */
const WAYS = [
  { engine: 'native', numerics: 'native', precision: 'f32' },
  { engine: 'native', numerics: 'native', precision: 'bf16' },
  { engine: 'native', numerics: 'portable', precision: 'f32' },
  { engine: 'wasm', numerics: 'portable', precision: 'f32' },
] as const

/** `herd fingerprint`: tells the bits that this machine computes, to be compared with those of others. */
export const fingerprintCommand = (): Command =>
  commandOf({
    name: 'fingerprint',
    options,
    examples: ['herd fingerprint', 'herd fingerprint --json', 'herd fingerprint --engine native --numerics portable --precision f32'],
    async run(given, { log }) {
      const { processor, extensions } = machineOf()
      const { fingerprint: input, versions } = await inputFacts({ augmentation: [...article.augmentation], evaluation: [...article.evaluation], seed: article.seed }, article.imageSize)
      const { node, platform } = versionsOf()
      const machine = machineFingerprintSchema.parse({
        processor: { name: processor, kind: processorKind(), extensions, caches: processorCaches() },
        versions: { herd: versions, node, platform }, input, numerics: await computed(requestsOf(given, log), log),
      })
      if (given.json) printJson(machine)
      else for (const line of linesOf(machine)) print(line)
      return true
    },
  })

/**
 * Lists the ways to compute that are asked for.
 * @throws UsageError if there is none; EngineError if native is asked for by its name, and is not installed
 */
function requestsOf({ engine, numerics, precision, threads, gpu }: OptionValues<typeof options>, log: Log): EngineRequest[] {
  const asked = WAYS.filter((way) => (engine === 'auto' || way.engine === engine) && (numerics === ANY || way.numerics === numerics) && (precision === ANY || way.precision === precision))
    .filter((way) => way.numerics === 'native' || portableObstacle({ precision: way.precision, threads, onGpu: gpu !== undefined }) === undefined)
  if (asked.length === 0) throw new UsageError('nothing computes so: wasm and --numerics portable compute in float32 on the CPU with one thread. Leave an option out.')
  const resolved = engine === 'wasm' ? { engine, notice: undefined } : resolveEngine(engine, 'f32', gpu)
  if (resolved.notice !== undefined) log.warn(resolved.notice)
  return asked.filter((way) => resolved.engine === 'native' || way.engine === 'wasm').map((way) => ({ ...way, threads, gpu }))
}

/** Computes the fingerprints. @throws EngineError if none can be computed here; what is one of several is left out with a warning */
async function computed(requests: readonly EngineRequest[], log: Log): Promise<Numerics[]> {
  const found: Numerics[] = []
  for (const request of requests) {
    try {
      found.push(await fingerprintOf(request, log))
    } catch (error) {
      if (!(error instanceof EngineError) || requests.length === 1) throw error
      log.warn(`${request.engine}, ${request.numerics}, ${request.precision} is left out: ${error.message}`)
    }
  }
  return found
}

async function fingerprintOf(request: EngineRequest, log: Log): Promise<Numerics> {
  const compute = await startCompute(buildNetwork('tiny', { imageSize: 8, classes: 2 }), { seed: 0, compress: 'none' }, request, log)
  try {
    return { ...compute.info, numerics: request.numerics, fingerprint: compute.fingerprint }
  } finally {
    await compute.close()
  }
}

function linesOf({ processor: { name, kind, extensions, caches }, versions, input, numerics }: MachineFingerprint): string[] {
  const parts = [kind, extensions.join(' '), caches.join(', ')].filter((part) => part !== '')
  return [
    `${name}${parts.length === 0 ? '' : ` (${parts.join('; ')})`}`,
    `${versions.herd}, Node.js ${versions.node}, ${versions.platform}`,
    `input fingerprint ${input}`,
    '',
    ...tableOf([['engine', 'device', 'threads', 'numerics', 'precision', 'fingerprint'], ...numerics.map(({ version, device, threads, numerics: kinds, precision, fingerprint: bits }) => [version, device, String(threads), kinds, precision, bits])]),
  ]
}
