import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { PAGE_HEADERS, refuseMethod, sayError, sayJson, sayText, sendFile, urlOf } from '../../live/answers.ts'
import { answerAtDoor } from '../../live/door.ts'
import { Gatekeeper } from '../../live/gatekeeper.ts'
import { classifyingPage, type PageFile } from '../../live/page_bundle.ts'
import { readBody } from '../../live/request_body.ts'
import { boundedHttp, listenHttp, type HttpLimits, type ListeningServer } from '../../shared/http/http_server.ts'
import { whyForeign } from '../../shared/http/same_site.ts'
import { DataError, EngineError, messageOf, RunError } from '../../shared/kit/errors.ts'
import { isLoopback } from '../../shared/security/loopback.ts'
import type { TlsFiles } from '../../shared/security/tls.ts'
import type { Tokens } from '../../shared/security/token.ts'
import type { Classifier } from './classifier.ts'
import type { ServeMetrics } from './metrics.ts'
import { uploadedImage, uploadForm } from './uploaded_image.ts'

export interface ServeOptions {
  host: string
  /** Port to listen on; 0 takes a free one. */
  port: number
  /** Token that clients must give; undefined if everybody may ask. */
  token: Pick<Tokens, 'holderOf'> | undefined
  /** TLS files; with an identity among them, the server speaks HTTPS. */
  tls: TlsFiles | undefined
}

export interface ServeLimits extends HttpLimits {
  /** Longest time in which an image must arrive, in milliseconds. */
  uploadMs: number
  imageBytes: number
  /** Bytes of all images that are being received, or decoded. */
  bytesInHand: number
  /** Longest time in which the server answers what it has when it ends, in milliseconds. */
  drainMs: number
}

/** Limits of a server. @param queue images that it takes at a time: there are connections for them, and for some that are told to come later */
export function serveLimits(queue: number): ServeLimits {
  return { connections: 2 * queue + 64, patienceMs: 10_000, uploadMs: 30_000, imageBytes: 32 * 2 ** 20, bytesInHand: 256 * 2 ** 20, drainMs: 20_000 }
}

/** Classes in an answer, unless the request says how many. */
const CLASSES = 10

const NEEDS_TOKEN = 'The token of this server is needed: send it as "Authorization: Bearer TOKEN".'
const WRONG_TOKEN = "This is not the server's token: it got it as HERD_TOKEN or --token-file."

/** Answers HTTP: classifies images, shows the page that sends them, and says how it is. */
export class ServeServer {
  readonly #classifier: Classifier
  readonly #options: ServeOptions
  readonly #files: Map<string, PageFile>
  readonly #metrics: ServeMetrics
  readonly #limits: ServeLimits
  readonly #gatekeeper: Gatekeeper
  readonly #onFailure: (error: EngineError) => void
  #server: http.Server | undefined
  #listening: ListeningServer | undefined
  #bytesInHand = 0
  /** Requests that are being answered. */
  #open = 0
  #ending = false

  private constructor(classifier: Classifier, options: ServeOptions, files: Map<string, PageFile>, { metrics, limits, onFailure }: { metrics: ServeMetrics; limits: ServeLimits; onFailure: (error: EngineError) => void }) {
    this.#classifier = classifier
    this.#options = options
    this.#files = files
    this.#metrics = metrics
    this.#limits = limits
    this.#onFailure = onFailure
    this.#gatekeeper = new Gatekeeper(options.token, options.tls?.identity !== undefined, () => performance.now())
  }

  /**
   * Starts a server.
   * @param around.onFailure called when images cannot be computed any more
   * @throws RunError if the port cannot be listened on
   */
  static async start(classifier: Classifier, options: ServeOptions, around: { metrics: ServeMetrics; limits: ServeLimits; onFailure: (error: EngineError) => void }): Promise<ServeServer> {
    const started = new ServeServer(classifier, options, await classifyingPage(), around)
    await started.#listen()
    return started
  }

  get port(): number {
    return this.#listening?.port ?? 0
  }

  /** Takes nothing new, answers what has been taken, and closes the port. */
  async end(): Promise<void> {
    this.#ending = true
    this.#server?.close()
    this.#server?.closeIdleConnections()
    const until = performance.now() + this.#limits.drainMs
    while (this.#open > 0 && performance.now() < until) await sleep(20)
    await this.#listening?.close()
  }

  async #listen(): Promise<void> {
    const { host, port, tls } = this.#options
    const settings = { ...boundedHttp(this.#limits), requestTimeout: this.#limits.uploadMs }
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#open++
      response.once('close', () => this.#open--)
      this.#answer(request, response).catch((error: unknown) => sayError(response, 500, messageOf(error)))
    }
    this.#server = tls?.identity === undefined ? http.createServer(settings, answer) : https.createServer({ ...settings, ...tls.identity, handshakeTimeout: this.#limits.patienceMs }, answer)
    this.#listening = await listenHttp(this.#server, { host, port, option: '--listen' }, this.#limits)
    this.#gatekeeper.nameCookie(this.#listening.port)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(PAGE_HEADERS)) response.setHeader(name, value)
    if (this.#ending) response.setHeader('connection', 'close')
    const url = urlOf(request)
    const getting = request.method === 'GET' || request.method === 'HEAD'
    // A supervisor asks by whatever name it has for this machine, and is told nothing.
    if (url?.pathname === '/healthz') return getting ? sayText(response, 200, 'ok\n') : refuseMethod(response, 'GET, HEAD')
    if (url?.pathname === '/readyz') return getting ? this.#sayReady(response) : refuseMethod(response, 'GET, HEAD')
    const foreign = whyForeign(request, isLoopback(this.#options.host))
    if (foreign !== undefined) return sayError(response, 403, foreign)
    const file = this.#files.get(url?.pathname ?? '')
    if (file !== undefined) return getting ? sendFile(response, file) : refuseMethod(response, 'GET, HEAD')
    if (await answerAtDoor(this.#gatekeeper, url?.pathname, request, response, WRONG_TOKEN)) return
    switch (url?.pathname) {
      case '/v1/classify':
        return request.method === 'POST' ? this.#classify(request, response, url.searchParams) : refuseMethod(response, 'POST')
      case '/metrics':
        if (!getting) return refuseMethod(response, 'GET, HEAD')
        if (!this.#gatekeeper.admits(request)) return sayError(response, 401, NEEDS_TOKEN)
        response.writeHead(200, { 'content-type': this.#metrics.registry.contentType }).end(await this.#metrics.registry.metrics())
        return
      default:
        return sayText(response, 404, 'see /\n')
    }
  }

  #sayReady(response: ServerResponse): void {
    const why = this.#ending ? 'the server ends' : this.#classifier.isFull ? 'as many images wait as may' : undefined
    sayText(response, why === undefined ? 200 : 503, `${why ?? 'ok'}\n`)
  }

  async #classify(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const begun = performance.now()
    response.once('close', () => this.#metrics.onRequest(response.writableFinished ? response.statusCode : undefined, (performance.now() - begun) / 1000))
    if (!this.#gatekeeper.admits(request)) return sayError(response, 401, NEEDS_TOKEN)
    if (this.#ending) return sayBusy(response, 'The server ends.')
    const { classes } = this.#classifier
    const top = z.string().regex(/^\d{1,6}$/).transform(Number).pipe(z.number().min(1)).safeParse(query.get('top') ?? String(CLASSES))
    if (!top.success) return sayError(response, 400, `top=${query.get('top')}: expected a whole number of at least 1, the number of classes in the answer.`)
    const type = request.headers['content-type'] ?? ''
    const form = uploadForm(type)
    if (form === undefined) return sayError(response, 415, `The content type is ${type === '' ? 'missing' : type}: expected an image as the body (image/jpeg, image/png, ...), or a form with a file (multipart/form-data).`)
    try {
      const image = await this.#receive(request, response)
      if (image === undefined) return
      if (this.#classifier.isFull) return sayBusy(response)
      const bytes = await uploadedImage(image, form, type)
      // The client now waits for this server, so its silence is no reason to end the connection.
      request.socket.setTimeout(0)
      const prediction = await this.#classifier.classify(bytes, Math.min(top.data, classes))
      request.socket.setTimeout(this.#limits.patienceMs)
      sayJson(response, 200, prediction)
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      sayError(response, error instanceof DataError ? 400 : 500, error.message)
      if (error instanceof EngineError) this.#onFailure(error)
    }
  }

  /** Receives a body, if there is room for it. @returns undefined if there is none, or the body is too large; that has been answered then */
  async #receive(request: IncomingMessage, response: ServerResponse): Promise<Buffer | undefined> {
    const { imageBytes, bytesInHand } = this.#limits
    // A body of unknown length may become as large as is allowed.
    const bytes = Math.min(imageBytes, Number(request.headers['content-length'] ?? imageBytes))
    if (this.#classifier.isFull || this.#bytesInHand + bytes > bytesInHand) {
      sayBusy(response)
      return undefined
    }
    this.#bytesInHand += bytes
    response.once('close', () => (this.#bytesInHand -= bytes))
    const body = await readBody(request, imageBytes)
    if (body === undefined) sayError(response, 413, `The image is too large: it may have ${imageBytes / 2 ** 20} MiB.`)
    return body
  }
}

function sayBusy(response: ServerResponse, why = 'As many images wait as may: try again in a second.'): void {
  sayError(response, 503, why, { 'retry-after': '1' })
}
