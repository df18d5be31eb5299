import { z } from 'zod'
import { simulate } from './simulation.ts'

/** A process of `npm run simulate`: runs its share of the schedules, and sends each outcome to the process that started it. */
const [from, end, step] = z.tuple([z.coerce.number().int(), z.coerce.number().int(), z.coerce.number().int().min(1)]).parse(process.argv.slice(2))
for (let seed = from; seed < end; seed += step) {
  const outcome = await simulate(seed)
  await new Promise((resolve) => process.send?.(outcome, resolve))
}
process.disconnect()
