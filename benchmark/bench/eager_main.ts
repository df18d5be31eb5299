import { createInterface } from 'node:readline'
import { createEagerEngine } from '../../shared/engine/eager/engine.ts'
import { loadNative } from '../../shared/engine/native.ts'
import { LaneStack } from '../../shared/lanes/lane_stack.ts'
import { machineSeconds } from '../../shared/trace/span.ts'
import { benchLane, benchNetwork } from './lane.ts'

/**
 * Steps of the eager engine, the oracle of the tests, on native TensorFlow and one thread: one step for each line on standard input.
 *
 *   node bin/run.mjs benchmark/bench/eager_main.ts BATCH IMAGE_SIZE
 */
const [batch, imageSize] = process.argv.slice(2).map(Number)
const { network, parameters } = benchNetwork(imageSize)
const { version, device } = loadNative({ threads: 1, gpu: undefined })
const engine = createEagerEngine(network, { precision: 'f32', threads: 1, kind: 'native', device, version: `TensorFlow ${version}` })
const stack = new LaneStack(engine, network, { seed: 0, compress: 'none' }, machineSeconds)
const lane = benchLane(network, batch)

function step(): number {
  const begin = performance.now()
  engine.setParameters(parameters)
  stack.push(lane, 0)
  stack.recycle(stack.take().values)
  return (performance.now() - begin) / 1000
}

const tell = (facts: object): void => void process.stdout.write(`${JSON.stringify(facts)}\n`)
step()
tell({ version })
createInterface(process.stdin).on('line', () => tell({ seconds: step() }))
