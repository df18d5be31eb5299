import type { PhotoPrediction } from '../view.ts'

/** Requests of the page to its server over HTTP. Addresses are relative, since a proxy may serve the page below a path of its own. */

/** Longest time to wait for an answer of a few bytes. */
const PATIENCE_MS = 10_000

export type Access = 'open' | 'granted' | 'token needed'

/** An error of the server, or of the page itself, whose message is meant for the viewer. `status` is that of HTTP; 0 if there was no answer. */
export class SaidError extends Error {
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

/** Asks whether the server needs the token. @throws SaidError if it cannot be reached, or does not answer in time */
export async function fetchAccess(): Promise<Access> {
  const { access } = (await (await answered(fetch('session', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) }))).json()) as { access: Access }
  return access
}

/** Logs in: the browser keeps the session's cookie. @throws SaidError if the token is wrong, or the server cannot be reached. */
export async function logIn(token: string): Promise<void> {
  await answered(fetch('login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) }))
}

/** Has a photograph classified by a run's weights. @throws SaidError if it is no image or too large, or there are no weights yet. */
export function classifyByRun(run: number, photograph: Blob): Promise<PhotoPrediction> {
  return classify(`predict?run=${run}`, photograph)
}

/** Has a photograph classified by the weights of `herd serve`. @throws SaidError if it is no image or too large, or the server has too much to do. */
export function classifyByServer(photograph: Blob): Promise<PhotoPrediction> {
  return classify('v1/classify', photograph)
}

async function classify(address: string, photograph: Blob): Promise<PhotoPrediction> {
  const response = await answered(fetch(address, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: photograph }))
  return (await response.json()) as PhotoPrediction
}

async function answered(request: Promise<Response>): Promise<Response> {
  const response = await request.catch(() => {
    throw new SaidError('The server cannot be reached.', 0)
  })
  if (response.ok) return response
  const said: unknown = await response.json().catch(() => undefined)
  const error = typeof said === 'object' && said !== null && 'error' in said && typeof said.error === 'string' ? said.error : `The server answered ${response.status} ${response.statusText}.`
  throw new SaidError(error, response.status)
}
