import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { refuseMethod, sayError, sayJson } from './answers.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import { readBody } from './request_body.ts'

const MAX_LOGIN_BYTES = 4096

const loginSchema = z.object({ token: z.string() })

/**
 * Answers what a page asks at the door: `GET /session`, whether it needs the token, and `POST /login`, which gives it.
 * @param wrong what is said of a wrong token
 * @returns false for any other path
 */
export async function answerAtDoor(gatekeeper: Gatekeeper, path: string | undefined, request: IncomingMessage, response: ServerResponse, wrong: string): Promise<boolean> {
  if (path === '/session') {
    if (request.method === 'GET' || request.method === 'HEAD') sayJson(response, 200, { access: gatekeeper.accessOf(request) })
    else refuseMethod(response, 'GET, HEAD')
    return true
  }
  if (path !== '/login') return false
  if (request.method === 'POST') await logIn(gatekeeper, request, response, wrong)
  else refuseMethod(response, 'POST')
  return true
}

async function logIn(gatekeeper: Gatekeeper, request: IncomingMessage, response: ServerResponse, wrong: string): Promise<void> {
  if (gatekeeper.mustWait(request)) return sayError(response, 429, 'Too many wrong tokens: wait a second.')
  const login = loginSchema.safeParse(parseJson(await readBody(request, MAX_LOGIN_BYTES)))
  if (!login.success) return sayError(response, 400, 'Expected {"token": "..."}.')
  const cookie = gatekeeper.login(request, login.data.token)
  if (cookie === undefined) return sayError(response, 401, wrong)
  response.writeHead(204, { 'set-cookie': cookie }).end()
}

function parseJson(body: Buffer | undefined): unknown {
  try {
    return JSON.parse(body?.toString() ?? '')
  } catch {
    return undefined
  }
}
