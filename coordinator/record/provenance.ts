import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { ChainHead } from '../../shared/audit/chain.ts'
import type { Provenance } from '../../shared/audit/provenance.ts'
import { wheelsOfNative } from '../../shared/engine/native.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { sha256Of } from '../../shared/kit/sha256.ts'
import { versionsOf } from '../../shared/kit/versions.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import type { ClusterStatus } from '../contract/cluster.ts'

/** Collects what provenance.json says. @param head end of the run's chain of digests; undefined if it keeps none */
export async function provenanceOf(run: string, datasetDigest: string, recipe: Recipe, { engine, fingerprints, inputs }: Pick<ClusterStatus, 'engine' | 'fingerprints' | 'inputs'>, head: ChainHead | undefined): Promise<Provenance> {
  const { herd, node, platform } = versionsOf()
  const lock = await readFile(path.join(ROOT, 'package-lock.json')).catch(() => undefined)
  return {
    format: 1, run, datasetDigest, recipe,
    herd: { version: herd, lock: lock === undefined ? null : sha256Of(lock) },
    node, platform,
    engine: engine === undefined ? null : { kind: engine.kind, version: engine.version, device: engine.device, wheels: (engine.kind === 'native' ? wheelsOfNative(engine.device !== 'cpu') : undefined) ?? null },
    fingerprints: { numerics: [...new Set(Object.values(fingerprints))], input: [...inputs] },
    digests: head ?? null,
  }
}
