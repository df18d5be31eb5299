import path from 'node:path'
import { drawDataset } from '../../../cli/draw/dataset.ts'
import { alternate, type Contender } from '../contender.ts'
import { HerdRun } from '../herd_run.ts'
import { worldName } from '../peers.ts'
import { WITHOUT_PEERS, type BenchSettings, type Section } from '../section.ts'

const IMAGES_PER_CLASS = 20
const LANES = 8

/** Measures the time from the command to the end of the first step. */
export async function startSection({ rounds, imageSize, peers, log, folder }: BenchSettings, batch: number, worlds: readonly number[]): Promise<Section> {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'images'), perClass: IMAGES_PER_CLASS, seed: 1, onProgress: () => undefined })
  const training = ['--data', data, '--listen', '127.0.0.1:0', '--engine', 'native', '--image-size', String(imageSize), '--batch', String(batch), '--lanes', String(LANES), '--epochs', '1']
  const herd = (name: string, where: readonly string[]): Contender => ({
    name,
    round: async () => {
      const begin = Date.now()
      const run = new HerdRun(path.join(folder, 'run'), [...training, ...where])
      try {
        return ((await run.event(({ event }) => event === 'step')).time - begin) / 1000
      } finally {
        await run.close()
      }
    },
    close: () => Promise.resolve(),
  })
  const peer = (workers: number): Contender => ({
    name: worldName(workers),
    round: async () => {
      if (peers === undefined) throw new Error('there is no PyTorch')
      const begin = performance.now()
      // The script reports that it is ready when it has done a step.
      const world = await peers.startWorld(worldName(workers), 'ddp.py', ['--batch', String(batch), '--size', String(imageSize), '--precision', 'f32', '--steps', '1'], workers, (seconds) => seconds)
      const seconds = (performance.now() - begin) / 1000
      await world.close()
      return seconds
    },
    close: () => Promise.resolve(),
  })
  const contenders = [herd('Herd, one process', ['--single-node']), ...worlds.map((workers) => herd(`Herd, ${workers} local worker${workers === 1 ? '' : 's'}`, ['--local-workers', String(workers)])), ...(peers === undefined ? [] : worlds.map(peer))]
  // This round warms up: files are checked, and images decoded, the first time only.
  await contenders[0].round()
  const values = await alternate(contenders.map((contender) => () => Promise.resolve(contender)), rounds, (line) => log(`start: ${line}`))
  return {
    title: 'From the command to the first step',
    about: `Until a step of ${batch} images of ${imageSize} px is done; the data set has been seen before. Herd: data set, engine, fingerprint, sockets, images from the cache file. PyTorch: no data.`,
    unit: 's', more: false, baseline: contenders[0].name,
    measures: [...values].map(([name, ofName]) => ({ name, values: ofName })),
    derived: [],
    notes: peers === undefined ? [WITHOUT_PEERS] : [],
  }
}
