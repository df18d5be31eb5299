import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { addOptions, readOptions } from '../../shared/command/options.ts'
import { createProgram, runProgram } from '../../shared/command/program.ts'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { readMeasured, SHIPPED_MEASURED, type Costs } from '../../cli/plan/costs.ts'
import { withoutHosts } from '../hosts/hosts.ts'
import { nativeAvailable } from '../../shared/engine/native.ts'
import { computesBf16, machineOf, type Machine } from '../../shared/kit/machine.ts'
import { benchOptions, type BenchOptions } from './options.ts'
import { Peers } from './peers.ts'
import { markdownOf, reportSchema, withReport, type Report } from './report.ts'
import type { BenchSettings, Section } from './section.ts'
import { clusterSection } from './sections/cluster.ts'
import { measureCosts } from './sections/costs.ts'
import { dataSection } from './sections/data.ts'
import { exchangeSection } from './sections/exchange.ts'
import { inputSection } from './sections/input.ts'
import { limitSection } from './sections/limit.ts'
import { networkSection } from './sections/network.ts'
import { recoverySection } from './sections/recovery.ts'
import { scalingSections } from './sections/scaling.ts'
import { startSection } from './sections/start.ts'
import { stepSection } from './sections/step.ts'

/** `npm run bench`: measures Herd, and PyTorch if it is installed, in turns. docs/benchmarks.md explains the results. */
async function main(argv: string[]): Promise<number> {
  const command = createProgram('bench').description('Measures Herd, and PyTorch where it is there, in turns.')
  addOptions(command, benchOptions)
  const options = readOptions(command.parse(argv, { from: 'user' }), benchOptions)
  const machine = machineOf()
  const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-bench-'))
  try {
    const settings: BenchSettings = {
      rounds: options.rounds, imageSize: options.imageSize, precisions: precisionsOf(options, machine), peers: options.withoutPeers ? undefined : Peers.find(options.python), folder,
      log: (line) => void process.stderr.write(`${line}\n`),
    }
    const sections: Section[] = []
    const reported = async (): Promise<Report> => {
      const { peers } = settings
      if (peers !== undefined && peers.version !== '') machine.versions['PyTorch'] = peers.version
      const report = reportSchema.parse({ time: new Date().toISOString(), machine, rounds: options.rounds, sections })
      if (options.json !== undefined) await writeAtomically(options.json, [`${JSON.stringify(report, undefined, 1)}\n`])
      return report
    }
    // The file is written after each section, so that a benchmark that is interrupted leaves the sections it has measured.
    await measure(options, settings, machine, async (...measured) => {
      sections.push(...measured)
      await reported()
    })
    const markdown = markdownOf(await reported())
    process.stdout.write(`${markdown}\n`)
    if (options.page !== undefined) await writeAtomically(options.page, [withReport(await readFile(options.page, 'utf8'), markdown)])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return 0
}

/** Sections that compute gradients, and so need the native engine. */
const NATIVE_SECTIONS: readonly BenchOptions['only'][number][] = ['step', 'cluster', 'start', 'recovery', 'costs', 'scaling']

async function measure({ only, engines, batches, gpu, batch, lanes, workers, exchange, reducers, compress, steps, limit, data, dataSizes, images, plan, pictures }: BenchOptions, settings: BenchSettings, machine: Machine, tell: (...measured: Section[]) => Promise<void>): Promise<void> {
  if (gpu !== undefined && only.includes('step') && !nativeAvailable({ gpu: true })) throw new RunError(`--gpu ${gpu}: the native engine for GPUs is not installed: \`npx herd setup --gpu\` obtains it.`)
  const native = nativeAvailable()
  const computing = only.filter((name) => NATIVE_SECTIONS.includes(name) && (name !== 'step' || gpu === undefined))
  if (!native && computing.length > 0) settings.log(`The native engine is not installed: \`npx herd setup\` obtains it. Left out: ${computing.join(', ')}.`)
  if ((native || gpu !== undefined) && only.includes('step')) for (const size of batches) await tell(await stepSection(settings, size, engines, gpu))
  if (native && only.includes('cluster')) for (const precision of settings.precisions) await tell(await clusterSection(settings, precision, { batch, lanes, worlds: workers }))
  if (only.includes('exchange')) await tell(await exchangeSection(settings, { worlds: exchange, reducers, compress, steps }))
  if (only.includes('limit')) await tell(await limitSection(settings, limit, steps))
  if (only.includes('input')) await tell(await inputSection(settings, data, images))
  if (only.includes('data')) for (const size of dataSizes) await tell(await dataSection(settings, size))
  if (native && only.includes('start')) await tell(await startSection(settings, batch, workers))
  if (native && only.includes('recovery')) await tell(await recoverySection(settings, batch))
  if (native && only.includes('costs')) {
    const { section, measured } = await measureCosts(settings, machine)
    await tell(section)
    if (plan !== undefined) await writeAtomically(plan, [`${JSON.stringify(measured, undefined, 1)}\n`])
  }
  const predicted = async (): Promise<Costs> => (await readMeasured(plan ?? SHIPPED_MEASURED)).costs
  if (native && only.includes('scaling')) await tell(...await scalingSections(settings, { costs: await predicted(), cores: machine.cores, batch, pictures }))
  if (only.includes('network')) {
    const missing = await withoutHosts()
    if (missing !== false) throw new RunError(`--only network: ${missing}.`)
    await tell(await networkSection(settings, await predicted(), machine.cores))
  }
}

function precisionsOf({ precision, gpu }: BenchOptions, machine: Machine): BenchSettings['precisions'] {
  if (precision === 'f32' || precision === 'bf16') return [precision]
  return precision === 'both' || gpu !== undefined || computesBf16(machine) ? ['f32', 'bf16'] : ['f32']
}

await runProgram(main, process.argv.slice(2))
