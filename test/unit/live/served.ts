import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { TestContext } from 'node:test'
import { unpack } from 'msgpackr'
import { WebSocket } from 'ws'
import { DataError, RunError } from '../../../shared/kit/errors.ts'
import { serveLive, type LiveLimits, type LiveOptions, type LiveSource } from '../../../live/server.ts'
import type { LiveMessage, PhotoPrediction, RunPatch, RunView } from '../../../live/view.ts'

/** A view of a run that has not begun to train. */
export function exampleView(name = 'first'): RunView {
  return {
    facts: {
      name, folder: `/runs/${name}`, recipe: { model: 'tiny', imageSize: 32, batch: 4, lanes: 2, epochs: 2, seed: 0, precision: 'f32', engine: 'wasm', lr: 0.001 },
      parameters: 10, classes: ['cane', 'gatto'], trainImages: 8, testImages: 4,
      stepsPerEpoch: 2,
    },
    state: 'training',
    startedAt: '2026-01-01T00:00:00.000Z',
    progress: { epoch: 1, stepInEpoch: 0, step: 0, imagesPerSecond: null, epochSecondsLeft: null, runSecondsLeft: null, testing: null },
    history: [], steps: [], members: [], strips: [], evaluation: null, events: [], summary: null,
  }
}

/** A source whose patches the test makes up. Its answer about a photograph is the number of its bytes. */
export class MadeUpSource implements LiveSource {
  readonly live = true
  readonly views = [exampleView(), exampleView('second')]
  readonly listeners = new Set<(run: number, patch: RunPatch) => void>()
  /** Promise that predictions wait for. */
  gate: Promise<void> = Promise.resolve()
  /** Number of predictions in progress. */
  looking = 0
  /** Largest number of predictions that were in progress at the same time. */
  mostLooking = 0

  runs(): RunView[] {
    return this.views
  }

  subscribe(listener: (run: number, patch: RunPatch) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  emit(run: number, patch: RunPatch): void {
    for (const listener of this.listeners) listener(run, patch)
  }

  /** Only the second run has a report. */
  report(run: number): Promise<string | undefined> {
    return Promise.resolve(run === 1 ? '<!doctype html><p>héron' : undefined)
  }

  async predict(run: number, image: Buffer): Promise<PhotoPrediction> {
    this.mostLooking = Math.max(this.mostLooking, ++this.looking)
    await this.gate
    this.looking--
    if (image.toString() === 'no image') throw new DataError('the photograph cannot be decoded.')
    if (image.toString() === 'too early') throw new RunError('there are no weights yet.')
    if (image.toString() === 'defect') throw new TypeError('this is a defect')
    return { step: image.length, epoch: run, classes: [] }
  }
}

export const quickLimits: LiveLimits = { connections: 64, patienceMs: 5000, viewers: 32, untakenBytes: 2 ** 20, pingMs: 5000, uploadMs: 5000, photoBytes: 2 ** 17, photos: 3 }

export interface Served {
  source: MadeUpSource
  port: number
  close(): Promise<void>
}

export async function served(t: TestContext, options: Partial<LiveOptions> = {}, limits: Partial<LiveLimits> = {}): Promise<Served> {
  const source = new MadeUpSource()
  const server = await serveLive(source, { host: '127.0.0.1', port: 0, token: undefined, tls: undefined, ...options }, { ...quickLimits, ...limits })
  t.after(() => server.close())
  return { source, ...server }
}

export interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  body: string
}

/** Makes an HTTP request with any headers; `fetch` does not allow to set Host or Origin. */
export function ask(port: number, method: string, path: string, headers: http.OutgoingHttpHeaders = {}, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }))
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** A page's WebSocket, which collects the messages of the server. */
export class Viewer {
  readonly socket: WebSocket
  readonly messages: LiveMessage[] = []
  /** Code with which the connection closed. */
  readonly closed: Promise<number>
  /** HTTP status with which the server refused the connection. */
  readonly refused: Promise<number>

  constructor(port: number, headers: Record<string, string> = {}, path = '/live') {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
    this.socket.on('message', (data: Buffer) => this.messages.push(unpack(data) as LiveMessage))
    this.socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.socket.on('close', resolve))
    this.refused = new Promise((resolve) => this.socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0)
      request.destroy()
    }))
  }

  async received(count: number): Promise<LiveMessage[]> {
    while (this.messages.length < count) await once(this.socket, 'message')
    return this.messages
  }
}

/** Sends a request on a raw connection. @returns everything that comes back until the server closes it */
export async function answerTo(port: number, request: string | Buffer): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (data: Buffer) => (answer += data.toString('latin1')))
  socket.on('error', () => undefined)
  socket.write(request)
  await new Promise((resolve) => socket.on('close', resolve))
  return answer
}
