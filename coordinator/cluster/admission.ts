import type { RunDescription } from '../../shared/wire/run_description.ts'
import type { WorkerFacts } from '../contract/member.ts'

/**
 * Checks whether a worker can take part in a run: with its engine, its data set and its numerics.
 * @param fingerprints numerics fingerprints of the workers that took part so far, by name
 * @param strictNumerics true to refuse a worker whose fingerprint differs from the first one's
 * @returns the reason why it cannot, for people; undefined if it can
 */
export function refusalOf(facts: WorkerFacts | undefined, run: RunDescription, fingerprints: Readonly<Record<string, string>>, strictNumerics: boolean): string | undefined {
  if (facts === undefined) return 'the worker has not said what it computes with.'
  const { kind, precision, threads } = facts.engine
  if (kind !== run.engine || precision !== run.precision || threads !== run.threads) {
    return `this run computes on ${run.engine}, ${run.precision}, ${run.threads} thread(s); the worker on ${kind}, ${precision}, ${threads}.`
  }
  if (facts.datasetDigest !== '' && facts.datasetDigest !== run.datasetDigest) {
    return `the worker's --data is another data set: its digest is ${facts.datasetDigest.slice(0, 12)}..., the run's ${run.datasetDigest.slice(0, 12)}... Copy the same folder there, or leave --data out to fetch images from the coordinator.`
  }
  const [first] = Object.entries(fingerprints)
  if (strictNumerics && first !== undefined && first[1] !== facts.fingerprint) {
    return `it computes other bits than ${first[0]} (numerics fingerprints ${facts.fingerprint} and ${first[1]}), and the run is started with --strict-numerics.`
  }
  return undefined
}
