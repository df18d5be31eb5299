import type { IncomingMessage } from 'node:http'

/**
 * Reads the body of a request.
 * @returns undefined if it is larger than `maxBytes`; the rest is then not read.
 * @throws Error if the other side closes the connection early.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return undefined
  const chunks: Buffer[] = []
  let bytes = 0
  // Leaving the loop early must not destroy the connection: the answer still goes through it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
