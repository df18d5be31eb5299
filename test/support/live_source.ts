import sharp from 'sharp'
import { DataError, messageOf } from '../../shared/kit/errors.ts'
import { patched } from '../../live/patch.ts'
import type { LiveSource } from '../../live/server.ts'
import type { EventView, LaneStrip, MemberView, PhotoPrediction, RunPatch, RunView, StepPoint } from '../../live/view.ts'
import type { EvaluationView } from '../../shared/run_folder/schemas.ts'

const CLASSES = ['cane', 'cavallo', 'elefante', 'farfalla', 'gallina', 'gatto', 'mucca', 'pecora', 'ragno', 'scoiattolo']
export const STEPS_PER_EPOCH = 40
const LANES = 8
const BATCH = 64
const START = Date.parse('2026-11-25T09:00:00Z')
const EPOCHS = 12

/** A source like that of a coordinator, with figures that the test chooses. */
export class FedSource implements LiveSource {
  readonly live: boolean
  #views: RunView[]
  readonly #listeners = new Set<(run: number, patch: RunPatch) => void>()
  /** Index of the run that was asked, for each photograph. */
  readonly asked: number[] = []
  /** Report of the first run; undefined: it has none. */
  page: string | undefined

  constructor(views: RunView[], live = true) {
    this.#views = views
    this.live = live
  }

  runs(): RunView[] {
    return this.#views
  }

  subscribe(listener: (run: number, patch: RunPatch) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  push(patch: RunPatch, run = 0): void {
    this.#views = this.#views.map((view, index) => (index === run ? patched(view, patch) : view))
    for (const listener of this.#listeners) listener(run, patch)
  }

  report(run: number): Promise<string | undefined> {
    return Promise.resolve(run === 0 ? this.page : undefined)
  }

  /** Reads the picture, and answers "cat" if it is more red than blue, else "dog": no network is needed to test the page. */
  async predict(run: number, image: Buffer): Promise<PhotoPrediction> {
    this.asked.push(run)
    const { channels } = await sharp(image).stats().catch((error: unknown) => {
      throw new DataError(`This is no image that can be read: ${messageOf(error)}`)
    })
    const [first, second] = channels[0].mean > channels[2].mean ? ['gatto', 'cane'] : ['cane', 'gatto']
    const rest = CLASSES.filter((name) => name !== first && name !== second)
    const classes = [[first, 0.82], [second, 0.1], ...rest.map((name) => [name, 0.01])] as [string, number][]
    return { step: 120, epoch: 3, classes: classes.map(([name, probability]) => ({ class: name, name, probability })) }
  }
}

/** A run of which so many steps are done; its history has the epochs that are complete. */
export function runAfter(steps: number, { name = 'first', skill = 1, testing = false }: { name?: string; skill?: number; testing?: boolean } = {}): RunView {
  const epochs = Math.floor(steps / STEPS_PER_EPOCH)
  return {
    facts: {
      name, folder: `runs/${name}`, recipe: { model: 'article', imageSize: 256, batch: BATCH, lanes: LANES, epochs: EPOCHS, seed: 0, precision: 'bf16', engine: 'native', lr: 1e-4 },
      parameters: 2_230_170, classes: CLASSES, trainImages: 20_943, testImages: 5236,
      stepsPerEpoch: STEPS_PER_EPOCH,
    },
    state: testing ? 'evaluating' : 'training',
    startedAt: new Date(START).toISOString(),
    progress: progressAt(steps),
    history: Array.from({ length: epochs }, (_, i) => epochLine(i + 1, skill)),
    steps: Array.from({ length: steps }, (_, i) => stepPoint(i + 1, skill)),
    members: [member('rack-1', steps), member('rack-2', steps), member('laptop <b>', steps)],
    strips: Array.from({ length: Math.min(steps, 40) }, (_, i) => strip(Math.max(steps - 40, 0) + i + 1)),
    evaluation: null,
    events: [event(0, 'started', 'info', 'The run begins: 20,943 training images, 5,236 test images, 10 classes.'), event(2, 'workerJoined', 'info', 'rack-1 joined, 1 worker is in.')],
    summary: null,
  }
}

export function finishedRun(name: string, skill: number, digest: string): RunView {
  const run = runAfter(STEPS_PER_EPOCH * EPOCHS, { name, skill })
  const last = run.history[run.history.length - 1]
  const perClass = Object.fromEntries(CLASSES.map((className, i) => [className, { images: 20, correct: 12 + (i % 7), accuracy: (12 + (i % 7)) / 20 }]))
  return {
    ...run,
    state: 'finished',
    members: [],
    evaluation: { ...evaluation(EPOCHS, []), predictions: [] },
    summary: {
      digest, epochs: EPOCHS, steps: run.steps.length, skippedSteps: 0, trainLoss: last.trainLoss, testLoss: last.testLoss, testAccuracy: last.testAccuracy, perClass,
      images: 251_316, imagesPerSecond: 121.4 * skill, seconds: 2070 / skill, engine: 'native', device: 'cpu', precision: 'bf16', lanes: LANES, batch: BATCH, workers: 3,
      lanesComputed: 3850, lanesCounted: 3840, lanesRecomputed: 8, lanesTakenOver: 2, workersLost: 1, restarts: 0, fingerprints: ['5b1c'],
    },
  }
}

/** Figures of a step, deterministic with some noise. @param skill factor by which the run learns faster */
export function stepPoint(step: number, skill = 1): StepPoint {
  const wobble = Math.sin(step * 12.9898) * 43758.5453
  const noise = wobble - Math.floor(wobble) - 0.5
  const loss = 2.3 * Math.exp((-step * skill) / 260) + 0.28 + noise * 0.22
  return { step, loss, accuracy: Math.min(1, Math.max(0, 1 - loss / 2.7 + noise * 0.1)), imagesPerSecond: 118 + noise * 16, gradientNorm: 0.7 + 1.2 * Math.exp(-step / 120) + noise * 0.3 }
}

export function epochLine(epoch: number, skill = 1): RunView['history'][number] {
  const loss = 2.3 * Math.exp((-epoch * STEPS_PER_EPOCH * skill) / 260) + 0.28
  return {
    epoch, step: epoch * STEPS_PER_EPOCH, skippedSteps: 0, trainLoss: loss, trainAccuracy: 1 - loss / 2.7, testLoss: loss + 0.06 + epoch * 0.012, testAccuracy: 1 - (loss + 0.1 + epoch * 0.012) / 2.7,
    learningRate: 1e-4, images: 20_943, seconds: 176.2, imagesPerSecond: 118.9 * skill, workers: 3,
  }
}

export function progressAt(step: number): RunView['progress'] {
  const epoch = Math.min(Math.floor(step / STEPS_PER_EPOCH) + 1, EPOCHS)
  const stepInEpoch = step - (epoch - 1) * STEPS_PER_EPOCH
  return { epoch, stepInEpoch, step, imagesPerSecond: 118.3, epochSecondsLeft: (STEPS_PER_EPOCH - stepInEpoch) * 0.54, runSecondsLeft: (EPOCHS * STEPS_PER_EPOCH - step) * 0.54, testing: null }
}

const DEALT: Record<string, number[]> = { 'rack-1': [0, 1, 2, 3], 'rack-2': [4, 5], 'laptop <b>': [7] }

/** A worker after so many steps of half a second each. */
export function member(name: string, steps: number): MemberView {
  const owes = DEALT[name] ?? []
  return {
    name, engine: 'TensorFlow 2.18.1', device: 'cpu', state: owes.length === 0 ? 'idle' : 'computing', kind: owes.length === 0 ? null : 'TRAIN', owes,
    lanes: owes.length * steps, images: owes.length * 8 * steps, laneSeconds: 0.128, residentBytes: 1.21e9, receivedBytes: steps * 4_460_340, sentBytes: steps * owes.length * 4_460_340, secondsIn: steps / 2,
  }
}

export function strip(step: number): LaneStrip {
  const straggles = step % 9 === 0
  return { step, computedBy: ['rack-1', 'rack-1', 'rack-1', 'rack-1', 'rack-2', 'rack-2', straggles ? 'rack-2' : 'laptop <b>', straggles ? 'rack-1' : 'laptop <b>'] }
}

export function event(seconds: number, kind: string, level: EventView['level'], text: string): EventView {
  return { time: new Date(START + seconds * 1000).toISOString(), kind, level, text }
}

/** An evaluation with predictions. @param pictures of the predictions, WebP in base64; the second of every four predictions is wrong */
export function evaluation(epoch: number, pictures: string[]): EvaluationView {
  const confusion = CLASSES.map((_, label) => CLASSES.map((__, predicted) => (label === predicted ? 14 + ((label * 5) % 9) : (label * 7 + predicted * 3) % 11 > 7 ? ((label + predicted) % 4) + 1 : 0)))
  return {
    epoch,
    classes: CLASSES,
    confusion,
    predictions: pictures.map((image, i) => ({ path: `${CLASSES[i % 10]}/${i}.jpeg`, truth: CLASSES[i % 10], predicted: i % 4 === 1 ? CLASSES[(i + 3) % 10] : CLASSES[i % 10], probability: 0.42 + ((i * 13) % 55) / 100, image })),
  }
}
