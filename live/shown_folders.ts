import { stat } from 'node:fs/promises'
import { loadCheckpoint } from '../shared/checkpoint/checkpoint.ts'
import { transformListsOf } from '../shared/checkpoint/transform_lists.ts'
import { RunError } from '../shared/kit/errors.ts'
import type { RunFolder } from '../shared/run_folder/run_folder.ts'
import { difference } from './difference.ts'
import { Predictor } from './predictor.ts'
import { RunFolderView } from './run_folder_view.ts'
import type { LiveSource } from './server.ts'
import type { PhotoPrediction, RunPatch, RunView } from './view.ts'
import { knownRecipe } from '../shared/recipe/stored.ts'

/** Interval at which folders are checked for news of runs in other processes. */
const LOOK_MS = 2000

interface Shown {
  folder: RunFolder
  reader: RunFolderView
  view: RunView
  /** Stamp of the files from which the view was read. */
  stamp: string
  predictor: Predictor
}

/** Folders of runs as a source of the live page. A folder that still grows is followed. */
export class ShownFolders implements LiveSource {
  readonly live = false
  readonly #shown: Shown[]
  readonly #now: () => Date
  readonly #listeners = new Set<(run: number, patch: RunPatch) => void>()
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> = Promise.resolve()

  private constructor(shown: Shown[], now: () => Date, lookMs: number) {
    this.#shown = shown
    this.#now = now
    let busy = false
    this.#timer = setInterval(() => {
      if (busy) return
      busy = true
      this.#looking = this.#look().finally(() => (busy = false))
    }, lookMs)
  }

  /** Reads the folders. @throws RunError if the files of a run cannot be read. */
  static async open(folders: readonly RunFolder[], now: () => Date, lookMs = LOOK_MS): Promise<ShownFolders> {
    const shown = await Promise.all(folders.map(async (folder) => {
      const stamp = await stampOf(folder)
      const reader = new RunFolderView(folder)
      return { folder, reader, view: await reader.read(now()), stamp, predictor: predictorOf(folder) }
    }))
    return new ShownFolders(shown, now, lookMs)
  }

  runs(): RunView[] {
    return this.#shown.map(({ view }) => view)
  }

  subscribe(listener: (run: number, patch: RunPatch) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  predict(run: number, photograph: Buffer): Promise<PhotoPrediction> {
    return this.#shown[run].predictor.predict(photograph)
  }

  report(run: number): Promise<string | undefined> {
    return this.#shown[run].folder.readReport()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
    await Promise.all(this.#shown.map(({ predictor }) => predictor.close()))
  }

  async #look(): Promise<void> {
    for (const [run, shown] of this.#shown.entries()) {
      const stamp = await stampOf(shown.folder)
      const goesOn = shown.view.state === 'training' || shown.view.state === 'waiting'
      if (stamp === shown.stamp && !goesOn) continue
      const view = await this.#read(shown.reader)
      if (view === undefined) continue
      const patch = difference(shown.view, view)
      Object.assign(shown, { view, stamp })
      if (patch !== undefined) this.#listeners.forEach((listener) => listener(run, patch))
    }
  }

  /** Reads a folder again. @returns undefined if that is not possible just now, so that the earlier view stays */
  async #read(reader: RunFolderView): Promise<RunView | undefined> {
    try {
      return await reader.read(this.#now())
    } catch (error) {
      if (error instanceof RunError) return undefined
      throw error
    }
  }
}

/** A stamp of the run's files, which changes when the run's process writes. */
async function stampOf(folder: RunFolder): Promise<string> {
  const files = [folder.configFile, folder.historyFile, folder.eventsFile, folder.evaluationFile, folder.summaryFile, folder.reportFile]
  const stamps = await Promise.all(files.map((file) => stat(file).then(({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`, () => '-')))
  return stamps.join()
}

function predictorOf(folder: RunFolder): Predictor {
  return new Predictor(async () => {
    const checkpoint = await loadCheckpoint(folder.checkpoints.latest)
    const { network, classes, parameters, position, config } = checkpoint
    return { network, transforms: transformListsOf(checkpoint, folder.checkpoints.latest), classes, parameters, step: position.step, epoch: position.epoch, engine: knownRecipe(config).engine ?? 'native' }
  })
}
