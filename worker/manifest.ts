import { setImmediate } from 'node:timers/promises'
import type { WantedCopy } from '../shared/data/dataset.ts'
import { ManifestReader, type Manifest, type ManifestPart } from '../shared/data/manifest.ts'
import { ProtocolError } from '../shared/kit/errors.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'

/**
 * Reads the coordinator's manifest as it comes. Between two parts others have their turn, so that heartbeats go on however many images there are.
 * @throws ProtocolError if it is not a manifest, or not that of this run's data set
 */
export async function readManifest(parts: AsyncIterable<ManifestPart>, run: Pick<RunDescription, 'datasetDigest'>): Promise<Manifest> {
  return ofRun((await readParts(parts)).manifest(), run)
}

/** Reads what a worker with a copy of its own needs. @throws as `readManifest` does */
export async function readWantedCopy(parts: AsyncIterable<ManifestPart>, run: Pick<RunDescription, 'datasetDigest'>): Promise<WantedCopy> {
  return ofRun((await readParts(parts)).copy(), run)
}

async function readParts(parts: AsyncIterable<ManifestPart>): Promise<ManifestReader> {
  const reader = new ManifestReader()
  for await (const part of parts) {
    reader.take(part)
    await setImmediate()
  }
  return reader
}

function ofRun<T extends { digest: string }>(manifest: T, run: Pick<RunDescription, 'datasetDigest'>): T {
  if (manifest.digest !== run.datasetDigest) throw new ProtocolError('the manifest of the coordinator is of another data set than its run.')
  return manifest
}
