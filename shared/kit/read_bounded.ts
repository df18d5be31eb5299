import type { Readable } from 'node:stream'

/**
 * Reads a stream to its end.
 * @returns undefined if it has more than `maxBytes`; the rest is then not read, and the stream is left open.
 * @throws Error if the stream breaks off.
 */
export async function readBounded(stream: Readable, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
