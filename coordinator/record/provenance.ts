import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { ChainHead } from '../../shared/audit/chain.ts'
import type { Provenance } from '../../shared/audit/provenance.ts'
import { wheelsOfNative } from '../../shared/engine/native.ts'
import { messageOf, RunError } from '../../shared/kit/errors.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { sha256Of } from '../../shared/kit/sha256.ts'
import { versionsOf } from '../../shared/kit/versions.ts'
import type { Recipe } from '../../shared/recipe/table.ts'
import type { RunFolder } from '../../shared/run_folder/run_folder.ts'
import type { ClusterStatus } from '../contract/cluster.ts'

export interface ProvenanceParts {
  folder: Pick<RunFolder, 'path' | 'readProvenance' | 'writeProvenance'>
  recipe: Recipe
  datasetDigest: string
  /** Signs the file; undefined if nobody does. */
  sign: ((bytes: Uint8Array) => Buffer) | undefined
  status: () => Pick<ClusterStatus, 'engine' | 'fingerprints' | 'inputs'>
}

/** Keeps provenance.json: of what, and with what, the weights were made, by this process and by those that the run had before. */
export class ProvenanceRecord {
  readonly #parts: ProvenanceParts
  #earlier: Pick<Provenance, 'engine' | 'fingerprints'> | undefined

  constructor(parts: ProvenanceParts) {
    this.#parts = parts
  }

  /**
   * Takes over what was noted before the run stopped or crashed.
   * @param step number of steps taken; 0: what is there is of another run
   * @returns what a user should know about that; undefined if nothing
   */
  async begin(step: number): Promise<string | undefined> {
    try {
      this.#earlier = step === 0 ? undefined : await this.#parts.folder.readProvenance()
      return undefined
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      return `${messageOf(error)} It is written anew, and does not name what computed the steps before.`
    }
  }

  /**
   * Writes the file, and its signature.
   * @param head end of the run's chain of digests, of which all is on disk; undefined if the run keeps none
   * @throws WriteError if the disk refuses
   */
  async write(head: ChainHead | undefined): Promise<void> {
    const { folder, recipe, datasetDigest, sign } = this.#parts
    const { herd, node, platform } = versionsOf()
    const lock = await readFile(path.join(ROOT, 'package-lock.json')).catch(() => undefined)
    await folder.writeProvenance({
      format: 1, run: path.basename(folder.path), datasetDigest, recipe,
      herd: { version: herd, lock: lock === undefined ? null : sha256Of(lock) },
      node, platform, ...this.#computed(), digests: head ?? null,
    }, sign)
  }

  #computed(): Pick<Provenance, 'engine' | 'fingerprints'> {
    const { engine, fingerprints, inputs } = this.#parts.status()
    const before = this.#earlier
    const input = new Map([...(before?.fingerprints.input ?? []), ...inputs].map((facts) => [`${facts.fingerprint} ${facts.versions}`, facts]))
    return {
      engine: engine === undefined ? (before?.engine ?? null) : { kind: engine.kind, version: engine.version, device: engine.device, wheels: (engine.kind === 'native' ? wheelsOfNative(engine.device !== 'cpu') : undefined) ?? null },
      fingerprints: { numerics: [...new Set([...(before?.fingerprints.numerics ?? []), ...Object.values(fingerprints)])], input: [...input.values()] },
    }
  }
}
