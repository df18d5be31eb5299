import type { RunDescription } from '../../shared/wire/run_description.ts'
import type { WorkerFacts } from '../contract/member.ts'

/** The worker by which others are judged: the first that took part. */
export interface FirstWorker {
  name: string
  facts: WorkerFacts
}

/**
 * Checks whether a worker can take part in a run: with its engine, its data set and its numerics.
 * @param first the first worker of the run; undefined if there was none
 * @param allowMixed true to take a worker that computes other bits than the first one
 * @returns the reason why it cannot, for people; undefined if it can
 */
export function refusalOf(facts: WorkerFacts | undefined, run: RunDescription, first: FirstWorker | undefined, allowMixed: boolean): string | undefined {
  if (facts === undefined) return 'the worker has not said what it computes with.'
  const { kind, precision, threads } = facts.engine
  if (kind !== run.engine || precision !== run.precision || threads !== run.threads) {
    return `this run computes on ${run.engine}, ${run.precision}, ${run.threads} thread(s); the worker on ${kind}, ${precision}, ${threads}.`
  }
  if (facts.datasetDigest !== '' && facts.datasetDigest !== run.datasetDigest) {
    return `the worker's --data is another data set: its digest is ${facts.datasetDigest.slice(0, 12)}..., the run's ${run.datasetDigest.slice(0, 12)}... Copy the same folder there, or leave --data out to fetch images from the coordinator.`
  }
  const difference = first === undefined || allowMixed ? undefined : differenceOf(facts, first)
  return difference === undefined ? undefined : `${difference}: the result would depend on who computes what. Start the coordinator with --allow-mixed-numerics to take it all the same.`
}

/** Says in what a worker differs from the first one, so that it computes other bits; undefined if it does not. */
export function differenceOf({ fingerprint, input }: WorkerFacts, { name, facts: first }: FirstWorker): string | undefined {
  if (fingerprint !== first.fingerprint) return `it computes other bits than ${name} (numerics fingerprints ${fingerprint} and ${first.fingerprint})`
  if (input.versions !== first.input.versions) return `it is of another version than ${name} (${input.versions}, and ${first.input.versions})`
  if (input.fingerprint !== first.input.fingerprint) return `it prepares images differently than ${name} (input fingerprints ${input.fingerprint} and ${first.input.fingerprint})`
  return undefined
}
