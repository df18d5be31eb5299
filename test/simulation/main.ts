import { fork } from 'node:child_process'
import path from 'node:path'
import { addOptions, readOptions } from '../../shared/command/options.ts'
import { createProgram, runProgram } from '../../shared/command/program.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { simulationOptions, type SimulationOptions } from './options.ts'
import { planOf, reducerFaults, runFaults, workerFaults } from './plan.ts'
import { checkResults } from '../../shared/run_folder/run_events.ts'
import { lieKinds } from './liar.ts'
import { meddlings } from './meddler.ts'
import { outcomeSchema, simulate, type Outcome } from './simulation.ts'
import { Statistics } from './statistics.ts'

/** `npm run simulate`: whole clusters on a virtual clock, under random schedules. docs/simulation.md explains what it proves. */
async function main(argv: string[]): Promise<number> {
  const command = createProgram('simulate').description('Runs whole clusters on a virtual clock under random schedules of faults.')
  addOptions(command, simulationOptions)
  const options = readOptions(command.parse(argv, { from: 'user' }), simulationOptions)
  const statistics = new Statistics()
  let failed = 0
  const take = ({ seed, failures, counts }: Outcome): void => {
    statistics.merge(counts)
    if (failures.length === 0) return
    failed++
    print(`seed ${seed} fails:\n${failures.map((failure) => `  ${failure}\n`).join('')}  npm run simulate -- --seed ${seed} --schedules 1 --verbose`)
  }
  const begin = performance.now()
  if (options.verbose) await runHere(options, take)
  else await runInProcesses(options, take)
  report(options.schedules, (performance.now() - begin) / 1000, statistics.counts)
  print(failed === 0 ? `all ${options.schedules} passed` : `${failed} of ${options.schedules} FAILED`)
  return failed === 0 ? 0 : 1
}

async function runHere({ seed, schedules }: SimulationOptions, take: (outcome: Outcome) => void): Promise<void> {
  for (let each = seed; each < seed + schedules; each++) {
    print(`seed ${each}: ${JSON.stringify(planOf(each), undefined, 1)}`)
    const outcome = await simulate(each, print)
    print(`trace ${outcome.traceHash}, ${(outcome.virtualMs / 1000).toFixed(1)} s of virtual time`)
    take(outcome)
  }
}

/** Shares the seeds among processes: of n processes, each runs every nth seed. */
async function runInProcesses({ seed, schedules, processes }: SimulationOptions, take: (outcome: Outcome) => void): Promise<void> {
  const count = Math.min(processes, schedules)
  await Promise.all(Array.from({ length: count }, (_, index) => new Promise<void>((resolve, reject) => {
    const child = fork(path.join(import.meta.dirname, 'share.js'), [seed + index, seed + schedules, count].map(String))
    child.on('message', (message) => take(outcomeSchema.parse(message)))
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new RunError(`a process of the simulation ended with code ${String(code)}; what it said is above.`))))
  })))
}

function report(schedules: number, seconds: number, counts: Readonly<Record<string, number>>): void {
  const some = (kinds: readonly string[], nameOf: (kind: string) => string = (kind) => kind): string => kinds.map((kind) => `${kind} ${counts[nameOf(kind)] ?? 0}`).join(', ')
  print(`${schedules} schedules in ${seconds.toFixed(1)} s: ${(schedules / seconds).toFixed(1)} schedules/s`)
  print(`faults of workers: ${some(workerFaults)}`)
  print(`faults of reducers: ${some(reducerFaults)}`)
  print(`faults of the run: ${some(runFaults)}`)
  print(`liars: ${some(lieKinds, (kind) => `lies ${kind}`)}, put out ${counts['liars put out'] ?? 0}; checks: ${some(checkResults, (result) => `checks ${result}`)}`)
  print(`messages: ${some(meddlings, (kind) => `message ${kind}`)}`)
  print(some(['workers joined', 'workers lost', 'lanes computed', 'lanes counted', 'test blocks computed', 'test blocks counted', 'units dealt again', 'units taken over', 'units dropped', 'steps left out', 'workers left', 'runs with reducers', 'reducers joined', 'reducers lost', 'checkpoints', 'checkpoints failed']))
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

await runProgram(main, process.argv.slice(2))
