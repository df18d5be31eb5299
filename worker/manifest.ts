import { gunzipSync } from 'node:zlib'
import { manifestSchema, type Manifest } from '../shared/data/manifest.ts'
import { ProtocolError } from '../shared/kit/errors.ts'
import { checkedJson } from '../shared/wire/messages.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'

/** Limit of the unpacked manifest: about three million images. */
const MAX_MANIFEST_BYTES = 512 * 1024 * 1024

/**
 * Unpacks and checks the coordinator's manifest.
 * @throws ProtocolError if it is not a manifest, or not that of this run's data set
 */
export function readManifest(gzipped: Buffer, run: Pick<RunDescription, 'datasetDigest'>): Manifest {
  let json: string
  try {
    json = gunzipSync(gzipped, { maxOutputLength: MAX_MANIFEST_BYTES }).toString('utf8')
  } catch {
    throw new ProtocolError(`the manifest of the coordinator cannot be unpacked, or is larger than ${MAX_MANIFEST_BYTES} bytes.`)
  }
  const manifest = checkedJson(manifestSchema, json, 'the manifest of the coordinator')
  if (manifest.digest !== run.datasetDigest) throw new ProtocolError('the manifest of the coordinator is of another data set than its run.')
  return manifest
}
