import os from 'node:os'
import path from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { z } from 'zod'
import { addOptions, choice, flag, readOptions, real, text, whole } from '../../shared/command/options.ts'
import { createProgram, runProgram } from '../../shared/command/program.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { WIDE_IMAGES, writeWideNetwork } from '../support/wide_network.ts'
import { drawAnimals } from '../support/workspace.ts'
import { measureEpoch, QUICK_MODEL, runChaos } from './chaos.ts'
import { coordinatorDeaths, randomFaults } from './faults.ts'
import { lyingKinds } from './liars.ts'
import { describeReport } from './report.ts'

const options = {
  minutes: real('<minutes>', 'About how long the run under faults lasts; the undisturbed one comes before it.', 'a number of at least 1', z.number().min(1).max(24 * 60), 5),
  seed: whole('<number>', 'Decides the run, and which faults come in which order.', { min: 0, max: 4294967295 }, 1),
  liars: flag('Lets workers that lie join as well, one after the other; each must be named.'),
  engine: choice('What computes.', ['auto', 'native', 'wasm'], 'wasm'),
  out: text('<folder>', 'Keeps both runs, with disturbed/chaos.json and disturbed/programs.log (default: a temporary folder, kept where something differs).'),
}

/** Minutes of a run for each death of the coordinator; it dies twice at least. */
const MINUTES_PER_DEATH = 2.5
/** Factor by which faults make a run longer, about. */
const SLOWDOWN = 1.4
/** Images of each class, with which an epoch takes about a second. */
const PER_CLASS = 60

async function main(argv: string[]): Promise<number> {
  const command = createProgram('chaos').description('Trains on a cluster of real processes under random faults, and compares with an undisturbed run.')
  addOptions(command, options)
  command.parse(argv, { from: 'user' })
  const { minutes, seed, engine, liars, out } = readOptions(command, options)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)

  const folder = out ?? (await mkdtemp(path.join(os.tmpdir(), 'herd-chaos-')))
  const environment = { HERD_CACHE: path.join(folder, 'cache') }
  const data = await drawAnimals(path.join(folder, 'data'), PER_CLASS)
  const model = liars ? [...WIDE_IMAGES, '--model', await writeWideNetwork(folder, 2)] : QUICK_MODEL
  const lying = liars ? lyingKinds : []
  const secondsPerEpoch = await measureEpoch({ seed, engine, model, liars: lying, environment, out: folder }, data)
  const deaths = Math.max(2, Math.round(minutes / MINUTES_PER_DEATH))
  const epochs = Math.max(deaths * 3, Math.round((minutes * 60) / (secondsPerEpoch * SLOWDOWN)))
  say(`An epoch takes a calm cluster ${secondsPerEpoch.toFixed(1)} s.`)
  const report = await runChaos({
    seed, engine, epochs, model, out: folder, environment, say, liars: lying,
    plans: [randomFaults(seed), coordinatorDeaths(seed, epochs, deaths, secondsPerEpoch)],
  }, data)
  say(`\n${describeReport(report)}`)

  const { workerDeath, coordinatorDeath } = report.recovery
  const failures = [
    ...report.differences,
    ...(report.faults.some(({ kind, injected }) => kind === 'killCoordinator' && injected === deaths) ? [] : [`the coordinator did not die ${deaths} times before the run ended: give more --minutes`]),
    ...report.liars.flatMap(({ kind, named }) => (named ? [] : [`nobody has named the worker whose lies are of the kind '${kind}'`])),
    ...(workerDeath.within ? [] : ["recovery from a worker's death took longer than allowed"]),
    ...(coordinatorDeath.within ? [] : ["recovery from the coordinator's death took longer than allowed"]),
  ]
  if (failures.length > 0) throw new RunError(`${failures[0]}${failures.length > 1 ? ` (and ${failures.length - 1} more)` : ''}. Repeat it with --seed ${seed}; what happened is in ${path.join(folder, 'disturbed')}.`)
  if (out === undefined) await rm(folder, { recursive: true, force: true })
  return 0
}

await runProgram(main, process.argv.slice(2))
