import path from 'node:path'
import { z } from 'zod'
import { ComputeProcess } from '../../../shared/compute/compute_process.ts'
import { computeEnvironment } from '../../../shared/engine/native.ts'
import { NODE_ENVIRONMENT, typescriptArguments } from '../../../shared/node_process.ts'
import { alternate, type Contender } from '../contender.ts'
import { gradientFlops } from '../../../shared/network/flops.ts'
import { benchLane, benchNetwork } from '../lane.ts'
import { peerSeconds } from '../peers.ts'
import { RoundProcess } from '../round_process.ts'
import { WITHOUT_PEERS, type BenchSettings, type Section } from '../section.ts'

const EAGER = path.join(import.meta.dirname, '../eager_main.ts')

/** The engines of Herd: the graph, which is the product, its oracle on the same library, and what computes where there is no such library. */
export const ENGINES = ['graph', 'eager', 'wasm'] as const
export type BenchEngine = (typeof ENGINES)[number]

/** So slow that some images tell its rate. */
const WASM_IMAGES = 2

/** A worker's compute process: takes weights and a lane's images, gives the gradient back. */
async function herd(name: string, engine: 'native' | 'wasm', precision: 'f32' | 'bf16', batch: number, imageSize: number): Promise<Contender> {
  const { network, parameters } = benchNetwork(imageSize)
  const compute = await ComputeProcess.start(network, { seed: 0, compress: 'none' }, { engine, precision, threads: 1, gpu: undefined })
  const lane = benchLane(network, batch)
  const round = async (): Promise<number> => {
    const begin = performance.now()
    compute.setParameters(parameters)
    await compute.push(lane, 0)
    await compute.take()
    return (batch * 1000) / (performance.now() - begin)
  }
  for (let warm = 0; warm < 2; warm++) await round()
  return { name, round, close: () => compute.close() }
}

async function eager(name: string, batch: number, imageSize: number): Promise<Contender> {
  const child = new RoundProcess(process.execPath, [...typescriptArguments(EAGER), String(batch), String(imageSize)], { ...NODE_ENVIRONMENT, ...computeEnvironment({ threads: 1, gpu: undefined }) })
  await child.next()
  return { name, round: async () => batch / peerSeconds.parse(await child.round()).seconds, close: () => child.close() }
}

function herdStarts(engines: readonly BenchEngine[], precision: 'f32' | 'bf16', batch: number, imageSize: number): (() => Promise<Contender>)[] {
  // The other engines have no bfloat16.
  const starts = engines.filter((engine) => engine === 'graph' || precision === 'f32')
  return starts.map((engine) => () => {
    if (engine === 'graph') return herd(`Herd ${precision}`, 'native', precision, batch, imageSize)
    if (engine === 'wasm') return herd(`Herd wasm ${precision}`, 'wasm', precision, Math.min(batch, WASM_IMAGES), imageSize)
    return eager(`Herd eager ${precision}`, batch, imageSize)
  })
}

/** One worker's step, without data and exchange, beside PyTorch's and what the core makes of a plain matrix product. */
export async function stepSection({ rounds, imageSize, precisions, peers, log }: BenchSettings, batch: number, engines: readonly BenchEngine[]): Promise<Section> {
  const starts = precisions.flatMap((precision) => {
    const own = herdStarts(engines, precision, batch, imageSize)
    if (peers === undefined) return own
    const shape = ['--batch', String(batch), '--size', String(imageSize), '--precision', precision]
    return [
      ...own,
      () => peers.start(`PyTorch ${precision}`, 'step.py', shape, peerSeconds, ({ seconds }) => batch / seconds),
      () => peers.start(`PyTorch ${precision}, contiguous`, 'step.py', [...shape, '--layout', 'contiguous'], peerSeconds, ({ seconds }) => batch / seconds),
      () => peers.start(`matrix product ${precision}`, 'matmul.py', ['--precision', precision], z.object({ gigaflops: z.number() }), ({ gigaflops }) => gigaflops),
    ]
  })
  const values = await alternate(starts, rounds, (line) => log(`step, batch ${batch}: ${line}`))
  const gigaflops = gradientFlops(benchNetwork(imageSize).network) / 1e9
  const of = (name: string): number[] => values.get(name) ?? []
  return {
    title: `One worker's step, batch ${batch}`,
    about: `Gradient of ${batch} images of ${imageSize} px, the article's network, one thread; ${gigaflops.toFixed(2)} GFLOP an image. Herd: weights and images into the compute process, the gradient out of it. PyTorch: forward and backward pass on images that are in memory, in its channels_last layout, and in its contiguous one.${engines.includes('wasm') ? ` wasm: ${Math.min(batch, WASM_IMAGES)} images.` : ''}`,
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
