import type { IncomingMessage } from 'node:http'

/**
 * Reads the body of a request.
 * @returns undefined where it is larger than it may be; the rest is then not read.
 * @throws when the other side breaks off.
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
