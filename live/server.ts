import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { z } from 'zod'
import { DataError, messageOf, RunError } from '../shared/kit/errors.ts'
import { boundedHttp, listenHttp, type HttpLimits, type ListeningServer } from '../shared/http/http_server.ts'
import { isLoopback, reachableHost } from '../shared/security/loopback.ts'
import type { TlsFiles } from '../shared/security/tls.ts'
import type { Tokens } from '../shared/security/token.ts'
import { Gatekeeper } from './gatekeeper.ts'
import { Audience, type AudienceLimits } from './audience.ts'
import { PAGE_HEADERS, refuseMethod, sayError, sayJson, sayText, sendFile, urlOf } from './answers.ts'
import { answerAtDoor } from './door.ts'
import { livePage, type PageFile } from './page_bundle.ts'
import { readBody } from './request_body.ts'
import { whyForeign } from '../shared/http/same_site.ts'
import { Turns } from '../shared/kit/async.ts'
import { SERVED_REPORT_POLICY } from './report_policy.ts'
import type { PhotoPrediction, RunPatch, RunView } from './view.ts'

/** Runs that the page shows: a run in progress, or folders of runs. */
export interface LiveSource {
  /** True for runs in progress, false for folders of saved ones. */
  readonly live: boolean
  /** Views of all runs; empty while the first run is being prepared. */
  runs(): RunView[]
  /**
   * Subscribes to changes.
   * @param listener gets patches that `runs()` already includes
   * @returns a function that ends the subscription
   */
  subscribe(listener: (run: number, patch: RunPatch) => void): () => void
  /** Classifies an image file. @throws DataError if it is no image; RunError if there are no weights yet */
  predict(run: number, image: Buffer): Promise<PhotoPrediction>
  /** Reads the report of a run, a page of HTML. @returns undefined if there is none @throws RunError if it cannot be read */
  report?(run: number): Promise<string | undefined>
}

export interface LiveOptions {
  host: string
  /** Port to listen on; 0 takes a free one. */
  port: number
  /** Token that viewers must give; undefined if everybody may look. */
  token: Pick<Tokens, 'holderOf'> | undefined
  /** TLS files; with an identity among them, the page is served over HTTPS. */
  tls: TlsFiles | undefined
}

export interface LiveLimits extends HttpLimits, AudienceLimits {
  /** Longest time of a request: a photograph may come through a slow network. */
  uploadMs: number
  photoBytes: number
  /** Most photographs that are being classified or wait for it. */
  photos: number
}
const LIMITS: LiveLimits = {
  connections: 64, patienceMs: 10_000, viewers: 32, untakenBytes: 4 * 2 ** 20, pingMs: 15_000, uploadMs: 120_000, photoBytes: 32 * 2 ** 20, photos: 4,
}
/** Largest message of a page, which sends nothing through its WebSocket. */
const MAX_MESSAGE_BYTES = 256

/**
 * Serves the live page. It changes nothing: viewers can only look, and have a photograph classified.
 * @throws RunError if the port cannot be listened on.
 */
export async function serveLive(source: LiveSource, options: LiveOptions, limits: LiveLimits = LIMITS): Promise<ListeningServer> {
  const page = new LiveServer(source, options, await livePage(), limits)
  return page.listen()
}

/** Address at which a browser on this machine finds the page. */
export function pageUrl({ host, tls }: Pick<LiveOptions, 'host' | 'tls'>, port: number): string {
  const name = reachableHost(host)
  return `${tls?.identity === undefined ? 'http' : 'https'}://${name.includes(':') ? `[${name}]` : name}:${port}/`
}

/** Milliseconds, on a clock that only goes forward. */
const now = (): number => performance.now()

class LiveServer {
  readonly #source: LiveSource
  readonly #options: LiveOptions
  readonly #files: Map<string, PageFile>
  readonly #limits: LiveLimits
  readonly #gatekeeper: Gatekeeper
  readonly #audience: Audience
  readonly #sockets = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false })
  readonly #turns = new Turns()
  #photos = 0

  constructor(source: LiveSource, options: LiveOptions, files: Map<string, PageFile>, limits: LiveLimits) {
    this.#source = source
    this.#options = options
    this.#files = files
    this.#limits = limits
    this.#gatekeeper = new Gatekeeper(options.token, options.tls?.identity !== undefined, now)
    this.#audience = new Audience(source, limits)
  }

  async listen(): Promise<ListeningServer> {
    const { host, port, tls } = this.#options
    const settings = { ...boundedHttp(this.#limits), requestTimeout: this.#limits.uploadMs }
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch((error: unknown) => sayError(response, 500, messageOf(error)))
    }
    const server = tls?.identity === undefined ? http.createServer(settings, answer) : https.createServer({ ...settings, ...tls.identity, handshakeTimeout: this.#limits.patienceMs }, answer)
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head))
    const listening = await listenHttp(server, { host, port, option: '--http-port' }, this.#limits).catch((error: unknown) => {
      this.#audience.close()
      throw error
    })
    this.#gatekeeper.nameCookie(listening.port)
    const unsubscribe = this.#source.subscribe((run, patch) => this.#audience.tell(run, patch))
    return {
      port: listening.port,
      close: () => {
        unsubscribe()
        this.#audience.close()
        return listening.close()
      },
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(PAGE_HEADERS)) response.setHeader(name, value)
    const foreign = this.#whyForeign(request)
    if (foreign !== undefined) return sayError(response, 403, foreign)
    const url = urlOf(request)
    const file = this.#files.get(url?.pathname ?? '')
    const getting = request.method === 'GET' || request.method === 'HEAD'
    if (file !== undefined) return getting ? sendFile(response, file) : refuseMethod(response, 'GET, HEAD')
    if (await answerAtDoor(this.#gatekeeper, url?.pathname, request, response, WRONG_TOKEN)) return
    switch (url?.pathname) {
      case '/predict':
        return request.method === 'POST' ? this.#predict(request, response, url.searchParams.get('run')) : refuseMethod(response, 'POST')
      case '/report':
        return getting ? this.#report(request, response, url.searchParams.get('run')) : refuseMethod(response, 'GET, HEAD')
      case '/live':
        return getting ? sayText(response, 426, 'this is a WebSocket\n', { upgrade: 'websocket' }) : refuseMethod(response, 'GET')
      default:
        return sayText(response, 404, 'see /\n')
    }
  }

  /** Answers a request to become a WebSocket, which only /live does. */
  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined)
    const foreign = this.#whyForeign(request)
    if (foreign !== undefined) return refuseUpgrade(socket, 403, foreign)
    if (urlOf(request)?.pathname !== '/live') return refuseUpgrade(socket, 404, 'see /')
    if (!this.#gatekeeper.admits(request)) return refuseUpgrade(socket, 401, NEEDS_TOKEN)
    if (this.#audience.isFull) return refuseUpgrade(socket, 503, 'As many pages look on as may.')
    this.#sockets.handleUpgrade(request, socket, head, (connected) => this.#audience.welcome(connected))
  }

  async #predict(request: IncomingMessage, response: ServerResponse, asked: string | null): Promise<void> {
    if (!this.#gatekeeper.admits(request)) return sayError(response, 401, NEEDS_TOKEN)
    const run = this.#runOf(asked, response)
    if (run === undefined) return
    if (this.#photos >= this.#limits.photos) return sayError(response, 503, 'Other photographs are being looked at: try again in a moment.')
    this.#photos++
    try {
      const image = await readBody(request, this.#limits.photoBytes)
      if (image === undefined) return sayError(response, 413, `The photograph is too large: it may have ${this.#limits.photoBytes / 2 ** 20} MiB.`)
      // The client now waits for this server, so its silence is no reason to end the connection.
      request.socket.setTimeout(0)
      sayJson(response, 200, await this.#turns.take(() => this.#source.predict(run, image)))
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      sayError(response, error instanceof DataError ? 400 : 503, error.message)
    } finally {
      this.#photos--
    }
  }

  async #report(request: IncomingMessage, response: ServerResponse, asked: string | null): Promise<void> {
    if (!this.#gatekeeper.admits(request)) return sayError(response, 401, NEEDS_TOKEN)
    const run = this.#runOf(asked, response)
    if (run === undefined) return
    const page = await this.#source.report?.(run)
    if (page === undefined) return sayError(response, 404, 'The run has no report: `herd report` writes one.')
    const body = Buffer.from(page)
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': body.length, 'content-security-policy': SERVED_REPORT_POLICY }).end(body)
  }

  /** The run that is asked for, by its index. @returns undefined if there is none, which has then been answered */
  #runOf(asked: string | null, response: ServerResponse): number | undefined {
    const runs = this.#source.runs().length
    if (runs === 0) return void sayError(response, 503, 'The run is being prepared: try again in a moment.')
    const run = z.string().regex(/^\d{1,6}$/).transform(Number).pipe(z.number().max(runs - 1)).safeParse(asked ?? '0')
    return run.success ? run.data : void sayError(response, 404, `There is no run ${asked}: expected 0 to ${runs - 1}.`)
  }

  #whyForeign(request: IncomingMessage): string | undefined {
    return whyForeign(request, isLoopback(this.#options.host))
  }
}

const WRONG_TOKEN = "This is not the run's token: the coordinator got it as HERD_TOKEN or --token-file."
const NEEDS_TOKEN = 'The token of the run is needed to look at it.'

function refuseUpgrade(socket: Duplex, status: number, why: string): void {
  const body = `${why}\n`
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
}
