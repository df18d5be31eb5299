import path from 'node:path'
import { drawDataset } from '../../../cli/draw/dataset.ts'
import { HerdRun } from '../herd_run.ts'
import { freePort } from '../peers.ts'
import type { BenchSettings, Section } from '../section.ts'

const IMAGES_PER_CLASS = 40
const LANES = 8
/** Steps before a process is killed, so that all are warm. */
const CALM_STEPS = 4
const MINUTES_BETWEEN_CHECKPOINTS = 0.01

interface Times {
  step: number
  dealtAgain: number
  stepWithout: number
  joined: number
  resumed: number
}

/** Measures what the death of one of two workers costs, and that of the coordinator. */
export async function recoverySection({ rounds, imageSize, log, folder }: BenchSettings, batch: number): Promise<Section> {
  const { folder: data } = await drawDataset({ out: path.join(folder, 'images'), perClass: IMAGES_PER_CLASS, seed: 1, onProgress: () => undefined })
  const training = ['--data', data, '--engine', 'native', '--image-size', String(imageSize), '--batch', String(batch), '--lanes', String(LANES), '--workers', '2', '--min-workers', '1', '--checkpoint-minutes', String(MINUTES_BETWEEN_CHECKPOINTS)]
  const all: Times[] = []
  for (let round = 0; round < rounds; round++) {
    all.push(await deaths(path.join(folder, 'run'), training, data))
    log(`recovery: round ${round + 1} of ${rounds}`)
  }
  const row = (name: string, key: keyof Times): { name: string; values: number[] } => ({ name, values: all.map((times) => times[key]) })
  const undisturbed = 'a step of two workers, undisturbed'
  return {
    title: 'Recovery',
    about: `The whole job, float32, steps of ${batch} images of ${imageSize} px in ${LANES} lanes. One of two workers is killed in mid-step, and another one started; then the coordinator is killed, and started again with --resume latest, while the workers wait for it.`,
    unit: 's', more: false, baseline: undisturbed,
    measures: [
      row(undisturbed, 'step'), row('a worker is killed: until its lanes are dealt again', 'dealtAgain'), row('that step, from the death to its end', 'stepWithout'), row('another worker: from its start to its joining', 'joined'),
      row('the coordinator is killed: from its new start to the first step', 'resumed'),
    ],
    derived: [], notes: [],
  }
}

async function deaths(folder: string, training: readonly string[], data: string): Promise<Times> {
  const address = `127.0.0.1:${await freePort()}`
  const run = new HerdRun(folder, [...training, '--listen', address])
  const worker = ['--coordinator', address, '--data', data]
  const isStep = ({ event }: { event: string }): boolean => event === 'step'
  try {
    for (const name of ['one', 'two']) run.startWorker(name, worker)
    for (let step = 0, after = 0; step < CALM_STEPS; step++) after = (await run.event(isStep, after)).index + 1
    const calm = (await run.events()).filter(isStep).slice(-2).map(({ time }) => Date.parse(time))
    const step = calm[1] - calm[0]
    const { length: before } = await run.events()
    await new Promise((resolve) => setTimeout(resolve, step / 2))
    const death = Date.now()
    await run.killWorker('two')
    const dealtAgain = await run.event(({ event }) => event === 'dealtAgain', before)
    const survived = await run.event(isStep, dealtAgain.index)
    const start = Date.now()
    run.startWorker('three', worker)
    const joined = await run.event(({ event, worker: name }) => event === 'workerJoined' && name === 'three', before)
    const { index } = await run.event(({ event }) => event === 'checkpoint', joined.index)
    const again = Date.now()
    await run.resume()
    const resumed = await run.event(({ event }) => event === 'resumed', index)
    const first = await run.event(isStep, resumed.index)
    const seconds = (from: number, to: number): number => (to - from) / 1000
    return { step: step / 1000, dealtAgain: seconds(death, dealtAgain.time), stepWithout: seconds(death, survived.time), joined: seconds(start, joined.time), resumed: seconds(again, first.time) }
  } finally {
    await run.close()
  }
}
