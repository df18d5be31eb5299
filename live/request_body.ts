import type { IncomingMessage } from 'node:http'
import { readBounded } from '../shared/kit/read_bounded.ts'

/**
 * Reads the body of a request.
 * @returns undefined if it is larger than `maxBytes`; the rest is then not read, and the answer still goes through the connection.
 * @throws Error if the other side closes the connection early.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return undefined
  return readBounded(request, maxBytes)
}
