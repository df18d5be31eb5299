import type { PhotoPrediction } from '../view.ts'

/** What the page asks its server over HTTP. */

/** For an answer of a few bytes. */
const PATIENCE_MS = 10_000

export type Access = 'open' | 'granted' | 'token needed'

/** What the server, or the page itself, has to say to the person in front of it. */
export class SaidError extends Error {
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

export async function fetchAccess(): Promise<Access> {
  const { access } = (await (await answered(fetch('/session', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) }))).json()) as { access: Access }
  return access
}

/** @throws SaidError when it is not the token. */
export async function logIn(token: string): Promise<void> {
  await answered(fetch('/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) }))
}

/** @throws SaidError for what is no image, too large, or while there are no weights yet. */
export async function predict(run: number, photograph: Blob): Promise<PhotoPrediction> {
  const response = await answered(fetch(`/predict?run=${run}`, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: photograph }))
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
