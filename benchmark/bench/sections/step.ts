import path from 'node:path'
import { z } from 'zod'
import { ComputeProcess } from '../../../shared/compute/compute_process.ts'
import type { Numerics } from '../../../shared/engine/engine.ts'
import { computeEnvironment } from '../../../shared/engine/native.ts'
import { RunError } from '../../../shared/kit/errors.ts'
import { NODE_ENVIRONMENT, nodeArguments } from '../../../shared/kit/node_process.ts'
import { alternate, type Contender } from '../contender.ts'
import { gradientFlops } from '../../../shared/model/flops.ts'
import { benchLane, benchNetwork } from '../lane.ts'
import { peerSeconds } from '../peers.ts'
import { RoundProcess } from '../round_process.ts'
import { WITHOUT_PEERS, type BenchSettings, type Section } from '../section.ts'

const EAGER = path.join(import.meta.dirname, '../eager_main.js')

/** The engines of Herd: the native graph, its oracle (eager, on the same library), and the engine for machines without that library. */
export const ENGINES = ['graph', 'eager', 'wasm'] as const
export type BenchEngine = (typeof ENGINES)[number]

/** Most images in a step of the wasm engine, which is so slow that a few images tell its rate. */
const WASM_IMAGES = 2

/** Steps of a round on a GPU: one takes milliseconds, and after an idle time a GPU is slow at first. */
const GPU_STEPS = 10

/** Starts a worker's compute process, which takes weights and the images of a lane, and returns the gradient. */
export async function herd(name: string, engine: 'native' | 'wasm', precision: 'f32' | 'bf16', batch: number, imageSize: number, gpu?: number, numerics: Numerics = 'native'): Promise<Contender> {
  const { network, parameters } = benchNetwork(imageSize)
  const compute = await ComputeProcess.start(network, { seed: 0, compress: 'none' }, { engine, precision, threads: 1, numerics, gpu })
  if (compute.note !== undefined) {
    await compute.close()
    throw new RunError(compute.note)
  }
  const lane = benchLane(network, batch)
  const steps = gpu === undefined ? 1 : GPU_STEPS
  const round = async (): Promise<number> => {
    const begin = performance.now()
    for (let step = 0; step < steps; step++) {
      compute.setParameters(parameters)
      await compute.push(lane, 0)
      await compute.take()
    }
    return (steps * batch * 1000) / (performance.now() - begin)
  }
  for (let warm = 0; warm < 2; warm++) await round()
  return { name, round, close: () => compute.close() }
}

async function eager(name: string, batch: number, imageSize: number): Promise<Contender> {
  const child = new RoundProcess(process.execPath, [...nodeArguments(EAGER), String(batch), String(imageSize)], { ...NODE_ENVIRONMENT, ...computeEnvironment({ threads: 1, gpu: undefined }) })
  await child.next()
  return { name, round: async () => batch / peerSeconds.parse(await child.round()).seconds, close: () => child.close() }
}

function herdStarts(engines: readonly BenchEngine[], precision: 'f32' | 'bf16', batch: number, imageSize: number, gpu: number | undefined): (() => Promise<Contender>)[] {
  // The other engines have no bfloat16, and are measured on no GPU.
  const starts = engines.filter((engine) => engine === 'graph' || (precision === 'f32' && gpu === undefined))
  return starts.map((engine) => () => {
    if (engine === 'graph') return herd(`Herd ${precision}`, 'native', precision, batch, imageSize, gpu)
    if (engine === 'wasm') return herd(`Herd wasm ${precision}`, 'wasm', precision, Math.min(batch, WASM_IMAGES), imageSize)
    return eager(`Herd eager ${precision}`, batch, imageSize)
  })
}

/**
 * Measures one worker's step, without data and exchange, beside PyTorch's and beside a plain matrix product on the same core.
 * @param gpu index of the GPU on which all of them compute; undefined for one core
 */
export async function stepSection({ rounds, imageSize, precisions, peers, log }: BenchSettings, batch: number, engines: readonly BenchEngine[], gpu?: number): Promise<Section> {
  const starts = precisions.flatMap((precision) => {
    const own = herdStarts(engines, precision, batch, imageSize, gpu)
    if (peers === undefined) return own
    const device = gpu === undefined ? [] : ['--device', `cuda:${gpu}`]
    const shape = ['--batch', String(batch), '--size', String(imageSize), '--precision', precision, ...device, ...(gpu === undefined ? [] : ['--steps', String(GPU_STEPS)])]
    return [
      ...own,
      () => peers.start(`PyTorch ${precision}`, 'step.py', shape, peerSeconds, ({ seconds }) => batch / seconds),
      () => peers.start(`PyTorch ${precision}, contiguous`, 'step.py', [...shape, '--layout', 'contiguous'], peerSeconds, ({ seconds }) => batch / seconds),
      () => peers.start(`matrix product ${precision}`, 'matmul.py', ['--precision', precision, ...device], z.object({ gigaflops: z.number() }), ({ gigaflops }) => gigaflops),
    ]
  })
  const values = await alternate(starts, rounds, (line) => log(`step, batch ${batch}: ${line}`))
  const gigaflops = gradientFlops(benchNetwork(imageSize).network) / 1e9
  const of = (name: string): number[] => values.get(name) ?? []
  const onGpu = gpu !== undefined
  const where = onGpu ? `GPU ${gpu}${peers?.gpu === undefined ? '' : ` (${peers.gpu})`}` : 'one thread'
  const held = onGpu ? "images and weights that stay in the GPU's memory, where the gradient stays too (without TF32 in float32, as Herd)" : 'images that are in memory'
  return {
    title: `One worker's step${onGpu ? ' on a GPU' : ''}, batch ${batch}`,
    about: `Gradient of ${batch} images of ${imageSize} px, the article's network, ${where}; ${gigaflops.toFixed(2)} GFLOP an image. Herd: weights and images into the compute process${onGpu ? ' and from there to the GPU' : ''}, the gradient out of it. PyTorch: forward and backward pass on ${held}, in its channels_last layout, and in its contiguous one.${engines.includes('wasm') && !onGpu ? ` wasm: ${Math.min(batch, WASM_IMAGES)} images.` : ''}`,
    unit: 'images/s', more: true,
    baseline: peers === undefined ? `Herd ${precisions[0]}` : `PyTorch ${precisions[0]}`,
    measures: [...values].filter(([name]) => !name.startsWith('matrix')).map(([name, ofName]) => ({ name, values: ofName })),
    derived: peers === undefined ? [] : precisions.flatMap((precision) => [
      { name: `Herd ${precision} over PyTorch ${precision} in its faster layout`, unit: 'times', values: of(`Herd ${precision}`).map((value, round) => value / Math.max(of(`PyTorch ${precision}`)[round], of(`PyTorch ${precision}, contiguous`)[round])) },
      { name: `matrix product ${precision}`, unit: 'GFLOP/s', values: of(`matrix product ${precision}`) },
      { name: `Herd ${precision}, share of the matrix product`, unit: '', values: of(`Herd ${precision}`).map((value, round) => (value * gigaflops) / of(`matrix product ${precision}`)[round]) },
    ]),
    notes: peers === undefined ? [WITHOUT_PEERS] : [],
  }
}
