import type { RunDescription } from '../../shared/wire/run_description.ts'
import type { WorkerFacts } from '../contract/member.ts'

/** The worker by which others are judged: the first that took part. */
export interface FirstWorker {
  name: string
  facts: WorkerFacts
}

/** How the bits of a run were computed before this process went on with it, if all that computed were alike. */
export interface Precedent {
  /** Fingerprint of the arithmetic. */
  numerics: string
  /** Fingerprint of what was done to images. */
  input: string
}

/**
 * Checks whether a worker can take part in a run: with its engine, its data set and its numerics.
 * @param judges.first the first worker of the run; undefined if there was none
 * @param judges.precedent undefined for a new run
 * @param allowMixed true to take a worker that computes other bits than those before it
 * @returns the reason why it cannot, for people; undefined if it can
 */
export function refusalOf(facts: WorkerFacts | undefined, run: RunDescription, { first, precedent }: { first: FirstWorker | undefined; precedent: Precedent | undefined }, allowMixed: boolean): string | undefined {
  if (facts === undefined) return 'the worker has not said what it computes with.'
  const { kind, precision, threads } = facts.engine
  if (kind !== run.engine || precision !== run.precision || threads !== run.threads) {
    return `this run computes on ${run.engine}, ${run.precision}, ${run.threads} thread(s); the worker on ${kind}, ${precision}, ${threads}.`
  }
  if (facts.datasetDigest !== '' && facts.datasetDigest !== run.datasetDigest) {
    return `the worker's --data is another data set: its digest is ${facts.datasetDigest.slice(0, 12)}..., the run's ${run.datasetDigest.slice(0, 12)}... Copy the same folder there, or leave --data out to fetch images from the coordinator.`
  }
  const difference = allowMixed ? undefined : differenceOf(facts, first, precedent)
  return difference === undefined ? undefined : `${difference}: the result would depend on who computes what. Start the coordinator with --allow-mixed-numerics to take it all the same.`
}

/** Says in what a worker differs from the first one, or from what computed before the run was resumed, so that it computes other bits; undefined if it does not. */
export function differenceOf({ fingerprint, input }: WorkerFacts, first: FirstWorker | undefined, precedent: Precedent | undefined): string | undefined {
  const before = precedent === undefined ? undefined : differenceFrom(precedent, { numerics: fingerprint, input: input.fingerprint }, BEFORE)
  if (before !== undefined) return `it ${before}`
  if (first === undefined) return undefined
  const { name, facts } = first
  // Versions are compared before the input's fingerprint, since they say why that differs.
  if (fingerprint === facts.fingerprint && input.versions !== facts.input.versions) return `it is of another version than ${name} (${input.versions}, and ${facts.input.versions})`
  const other = differenceFrom({ numerics: facts.fingerprint, input: facts.input.fingerprint }, { numerics: fingerprint, input: input.fingerprint }, name)
  return other === undefined ? undefined : `it ${other}`
}

/** Words for what computed before this process. */
export const BEFORE = 'this run did before it was resumed'

/**
 * Says in what an arithmetic and a way with images differ from others, in a sentence that lacks its subject; undefined if they do not.
 * @param than words for the others
 */
export function differenceFrom(others: Precedent, own: Precedent, than: string): string | undefined {
  if (own.numerics !== others.numerics) return `computes other bits than ${than} (numerics fingerprints ${own.numerics} and ${others.numerics})`
  if (own.input !== others.input) return `prepares images differently than ${than} (input fingerprints ${own.input} and ${others.input})`
  return undefined
}
