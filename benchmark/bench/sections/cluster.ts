import path from 'node:path'
import { drawDataset } from '../../../cli/draw/dataset.ts'
import { articleNetwork } from '../../../shared/model/article.ts'
import { alternate, type Contender } from '../contender.ts'
import { HerdCluster } from '../herd_cluster.ts'
import { worldName } from '../peers.ts'
import { WITHOUT_PEERS, type BenchSettings, type Section } from '../section.ts'

const CLASSES = 10
const IMAGES_PER_CLASS = 20
const STEPS = 2

interface Sizes {
  batch: number
  /** Numbers of lanes; Herd is measured with each that is at least the number of workers. */
  lanes: readonly number[]
  /** Numbers of workers, and of processes of PyTorch. */
  worlds: readonly number[]
}

/** Measures the whole job (data, compute, exchange, Adam) against DistributedDataParallel, which is given images in memory. */
export async function clusterSection({ rounds, imageSize, peers, log, folder }: BenchSettings, precision: 'f32' | 'bf16', { batch, lanes, worlds }: Sizes): Promise<Section> {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'images'), perClass: IMAGES_PER_CLASS, seed: 1, onProgress: () => undefined })
  const network = articleNetwork({ imageSize, classes: CLASSES })
  const starts = worlds.flatMap((workers) => {
    const own = lanes.filter((count) => count >= workers).map((count) => async (): Promise<Contender> => {
      const cluster = await HerdCluster.start({ network, data, engine: 'native', precision, batch, lanes: count, workers, reducers: 1, steps: STEPS })
      return cluster.contender(herdName(workers, count), ({ seconds }) => batch / seconds)
    })
    if (peers === undefined) return own
    const args = ['--batch', String(batch), '--size', String(imageSize), '--precision', precision, '--steps', String(STEPS)]
    return [...own, () => peers.startWorld(worldName(workers), 'ddp.py', args, workers, (seconds) => batch / seconds)]
  })
  const values = await alternate(starts, rounds, (line) => log(`cluster, ${precision}: ${line}`))
  const ratio = (name: string, over: string): { name: string; unit: string; values: number[] } =>
    ({ name: `${name} over ${over}`, unit: 'times', values: (values.get(name) ?? []).map((value, round) => value / (values.get(over) ?? [])[round]) })
  return {
    title: `The whole job, ${precision}`,
    about: `Steps of ${batch} images of ${imageSize} px in lanes, the article's network, one thread a worker, all on this machine. Herd: images from files (decoded once, then kept), their random transforms, gradients, exchange, Adam. PyTorch: DistributedDataParallel over gloo and Adam, on images that are in memory and are not transformed.`,
    unit: 'images/s', more: true,
    baseline: herdName(worlds[0], lanes[0]),
    measures: [...values].map(([name, ofName]) => ({ name, values: ofName })),
    derived: worlds.flatMap((workers) => lanes.filter((count) => count >= workers).flatMap((count) => [
      ...(peers === undefined ? [] : [ratio(herdName(workers, count), worldName(workers))]),
      ...(workers === worlds[0] ? [] : [ratio(herdName(workers, count), herdName(worlds[0], count))]),
    ])),
    notes: peers === undefined ? [WITHOUT_PEERS] : [],
  }
}

function herdName(workers: number, lanes: number): string {
  return `Herd, ${workers} worker${workers === 1 ? '' : 's'}, ${lanes} lanes`
}
