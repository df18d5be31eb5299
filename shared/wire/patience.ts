import pRetry from 'p-retry'
import { RunError } from '../kit/errors.ts'
import type { Log } from '../kit/log.ts'

/** Joining failed because the coordinator cannot be reached or does not answer. It may be tried again. */
export class NoMembershipError extends Error {}

/** Longest pause between two attempts: a coordinator that is started again waits for its members no longer than this. */
const LONGEST_PAUSE_MS = 1000
const SHORTEST_PAUSE_MS = 200

export interface Patience {
  /** Address of the coordinator, as the user gave it. */
  coordinator: string
  /** Time during which to try, in milliseconds; 0: only once. */
  patienceMs: number
  log: Pick<Log, 'info'>
}

/**
 * Tries to join a coordinator, repeatedly with backoff and jitter, until a membership comes about.
 * @param join joins and runs one membership; throws a NoMembershipError with the reason if it may be tried again
 * @returns the result of `join`
 * @throws RunError that names the coordinator if `patienceMs` is over, and any other error of `join`
 */
export async function joinWithPatience<T>(join: () => Promise<T>, { coordinator, patienceMs, log }: Patience): Promise<T> {
  try {
    return await pRetry(join, {
      retries: patienceMs === 0 ? 0 : Number.POSITIVE_INFINITY, maxRetryTime: patienceMs === 0 ? Number.POSITIVE_INFINITY : patienceMs,
      minTimeout: SHORTEST_PAUSE_MS, maxTimeout: LONGEST_PAUSE_MS, randomize: true,
      shouldRetry: ({ error }) => error instanceof NoMembershipError,
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (error instanceof NoMembershipError && attemptNumber === 1 && patienceMs > 0) log.info(`waiting for the coordinator at ${coordinator}: ${error.message}.`)
      },
    })
  } catch (error) {
    if (!(error instanceof NoMembershipError)) throw error
    throw new RunError(`--coordinator ${coordinator}: ${error.message} (tried for ${Math.round(patienceMs / 1000)} s). Is the coordinator running, and is the address right?`)
  }
}
