import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Turns } from '../kit/async.ts'
import { programFile } from '../kit/project.ts'
import type { Drawing } from './drawing.ts'

/**
 * A thread that draws, so that heartbeats and gradients do not wait for pictures. It begins with the first drawing, which loads the library for
 * charts in it, and stays: loading takes longer than drawing. It keeps no process from ending.
 */
export class DrawingThread {
  readonly #turns = new Turns()
  #worker: Worker | undefined

  /**
   * Draws a picture, after those that were asked for before.
   * @returns SVG
   * @throws Error if it cannot be drawn; the next one gets a new thread
   */
  draw(drawing: Drawing): Promise<string> {
    return this.#turns.take(async () => {
      const worker = (this.#worker ??= this.#start())
      worker.ref()
      try {
        const answer = once(worker, 'message')
        worker.postMessage(drawing)
        const [svg] = (await answer) as [string]
        return svg
      } finally {
        worker.unref()
      }
    })
  }

  /** Ends the thread once all is drawn that was asked for. */
  async close(): Promise<void> {
    await this.#turns.take(() => this.#worker?.terminate())
    this.#worker = undefined
  }

  #start(): Worker {
    const worker = new Worker(programFile('drawing'), { execArgv: [] })
    worker.on('error', () => (this.#worker = undefined))
    return worker
  }
}
