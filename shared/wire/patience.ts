import pRetry from 'p-retry'
import { RunError } from '../kit/errors.ts'
import type { Log } from '../kit/log.ts'

/** No membership came about: the coordinator cannot be reached, or does not answer. It may be tried again. */
export class NoMembershipError extends Error {}

/** A coordinator that is started again waits for its members no longer than this. */
const LONGEST_PAUSE_MS = 1000
const SHORTEST_PAUSE_MS = 200

export interface Patience {
  /** Where the coordinator is, as the user named it. */
  coordinator: string
  /** How long to try; 0: once. */
  patienceMs: number
  log: Pick<Log, 'info'>
}

/**
 * Tries to join a coordinator, again and again with backoff and jitter, as long as no membership comes about.
 * @param join throws a NoMembershipError with the reason where it may be tried again
 * @throws RunError that names the coordinator when patience is over, and whatever else `join` throws
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
