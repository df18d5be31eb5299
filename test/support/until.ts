import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE_MS = 20_000

/** Waits until a condition holds. @throws Error if it does not within twenty seconds */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await holds()); await sleep(5)) if (performance.now() > end) throw new Error(`this does not come about: ${String(holds)}`)
}
