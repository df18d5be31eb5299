import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { PAGE_POLICY, type PageFile } from './page_bundle.ts'

/** Answers of the servers that have a page. */

/** Headers of every answer: other sites cannot embed or read the page, and links from it do not tell where they were. */
export const PAGE_HEADERS = {
  'content-security-policy': PAGE_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** The address of a request; undefined if it is none. */
export function urlOf({ url = '' }: IncomingMessage): URL | undefined {
  return URL.canParse(url, 'http://page') ? new URL(url, 'http://page') : undefined
}

/** Answers with a file of the page. */
export function sendFile(response: ServerResponse, { type, body }: PageFile): void {
  response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body)
}

export function sayText(response: ServerResponse, status: number, text: string, headers: OutgoingHttpHeaders = {}): void {
  // The connection is closed, since the rest of the request may not have been read.
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close', ...headers }).end(text)
}

/** Refuses a method that a path does not have. @param allow those that it has */
export function refuseMethod(response: ServerResponse, allow: string): void {
  sayText(response, 405, `expected ${allow}\n`, { allow })
}

export function sayJson(response: ServerResponse, status: number, value: object, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(JSON.stringify(value))
}

/** Answers with a sentence for the person in front of the page, and closes the connection. */
export function sayError(response: ServerResponse, status: number, error: string, headers: OutgoingHttpHeaders = {}): void {
  if (response.headersSent) return void response.destroy()
  sayJson(response, status, { error }, { connection: 'close', ...headers })
}
