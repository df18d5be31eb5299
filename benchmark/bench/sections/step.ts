import { z } from 'zod'
import { ComputeProcess } from '../../../shared/compute/compute_process.ts'
import { articleNetwork } from '../../../shared/network/article.ts'
import { initialParameters } from '../../../shared/network/initial.ts'
import { layoutOf } from '../../../shared/network/layout.ts'
import { KeyedRandom, Purpose } from '../../../shared/random/philox.ts'
import { alternate, type Contender } from '../contender.ts'
import { gradientFlops } from '../../../shared/network/flops.ts'
import { peerSeconds } from '../peers.ts'
import { WITHOUT_PEERS, type BenchSettings, type Section } from '../section.ts'

const CLASSES = 10

/** A worker's compute process: takes weights and a lane's images, gives the gradient back. */
async function herd(precision: 'f32' | 'bf16', batch: number, imageSize: number): Promise<Contender> {
  const network = articleNetwork({ imageSize, classes: CLASSES })
  const compute = await ComputeProcess.start(network, { seed: 0, compress: 'none' }, { engine: 'native', precision, threads: 1, gpu: undefined })
  const parameters = initialParameters(layoutOf(network), 0, 'pytorch')
  const random = new KeyedRandom(0, Purpose.draw)
  const images = Uint8Array.from({ length: batch * imageSize * imageSize * 3 }, () => random.below(256))
  const samples = Array.from({ length: batch }, (_, index) => index)
  const labels = samples.map((index) => index % CLASSES)
  const round = async (): Promise<number> => {
    const begin = performance.now()
    compute.setParameters(parameters)
    await compute.push({ lane: 0, step: 0, samples, labels, images }, 0)
    await compute.take()
    return (batch * 1000) / (performance.now() - begin)
  }
  for (let warm = 0; warm < 2; warm++) await round()
  return { name: `Herd ${precision}`, round, close: () => compute.close() }
}

/** One worker's step, without data and exchange, beside PyTorch's and what the core makes of a plain matrix product. */
export async function stepSection({ rounds, imageSize, precisions, peers, log }: BenchSettings, batch: number): Promise<Section> {
  const starts = precisions.flatMap((precision) => {
    const own = (): Promise<Contender> => herd(precision, batch, imageSize)
    if (peers === undefined) return [own]
    const shape = ['--batch', String(batch), '--size', String(imageSize), '--precision', precision]
    return [
      own,
      () => peers.start(`PyTorch ${precision}`, 'step.py', shape, peerSeconds, ({ seconds }) => batch / seconds),
      () => peers.start(`matrix product ${precision}`, 'matmul.py', ['--precision', precision], z.object({ gigaflops: z.number() }), ({ gigaflops }) => gigaflops),
    ]
  })
  const values = await alternate(starts, rounds, (line) => log(`step, batch ${batch}: ${line}`))
  const gigaflops = gradientFlops(articleNetwork({ imageSize, classes: CLASSES })) / 1e9
  const of = (name: string): number[] => values.get(name) ?? []
  return {
    title: `One worker's step, batch ${batch}`,
    about: `Gradient of ${batch} images of ${imageSize} px, the article's network, one thread; ${gigaflops.toFixed(2)} GFLOP an image. Herd: weights and images into the compute process, the gradient out of it. PyTorch: forward and backward pass on images that are in memory.`,
    unit: 'images/s', more: true,
    baseline: peers === undefined ? `Herd ${precisions[0]}` : `PyTorch ${precisions[0]}`,
    measures: [...values].filter(([name]) => !name.startsWith('matrix')).map(([name, ofName]) => ({ name, values: ofName })),
    derived: peers === undefined ? [] : precisions.flatMap((precision) => [
      { name: `Herd ${precision} over PyTorch ${precision}`, unit: 'times', values: of(`Herd ${precision}`).map((value, round) => value / of(`PyTorch ${precision}`)[round]) },
      { name: `matrix product ${precision}`, unit: 'GFLOP/s', values: of(`matrix product ${precision}`) },
      { name: `Herd ${precision}, share of the matrix product`, unit: '', values: of(`Herd ${precision}`).map((value, round) => (value * gigaflops) / of(`matrix product ${precision}`)[round]) },
    ]),
    notes: peers === undefined ? [WITHOUT_PEERS] : [],
  }
}
