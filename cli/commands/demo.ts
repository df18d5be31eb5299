import { spawn } from 'node:child_process'
import path from 'node:path'
import type { Command } from 'commander'
import { text, whole } from '../../shared/command/options.ts'
import { drawDataset } from '../draw/dataset.ts'
import { nativeAvailable } from '../../shared/engine/native.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { RunFolder } from '../../shared/run_folder/run_folder.ts'
import { commandOf } from '../command.ts'
import { print } from '../output.ts'
import { ROOT } from '../../shared/kit/project.ts'

const COORDINATOR = path.join(ROOT, 'bin/coordinator.mjs')

/** The article's network on smaller images, in steps small enough that a few thousand images teach it. */
const recipe = ['--model', 'article', '--init', 'he', '--image-size', '156', '--batch', '8', '--lanes', '4', '--lr', '1e-3', '--schedule', 'oneCycle', '--seed', '1']
const EPOCHS = 7
/** The wasm engine is many times slower: one epoch shows that it works, not that it learns. */
const EPOCHS_ON_WASM = 1

const options = {
  data: { ...text('<folder>', 'Where the animals are drawn.'), fallback: 'data/drawn' },
  out: text('<folder>', 'Folder of the run (default: runs/<date>-<time>).'),
  perClass: whole('<count>', 'Images of each of the ten animals.', { min: 20, max: 9999 }, 125),
  epochs: whole('<count>', `Passes over the training set; 0 takes ${EPOCHS}, or ${EPOCHS_ON_WASM} without the native engine.`, { min: 0 }, 0),
  workers: whole('<count>', 'Worker processes: one for each core.', { min: 1, max: 64 }, 2),
} as const

/** `herd demo`, which `npm start` runs: draws the built-in animals, and trains on them with a coordinator and its workers. */
export function demoCommand(): Command {
  return commandOf({
    name: 'demo',
    options,
    examples: ['herd demo', 'herd demo --epochs 2 --workers 1'],
    run: async ({ data, out, perClass, epochs, workers }, { log, logFormat, progress }) => {
      // These messages are no result (the coordinator prints that), so with --log-format json they go to the log.
      const say = logFormat === 'json' ? (text: string): void => log.info(text) : print
      const native = nativeAvailable()
      if (!native) log.warn('without the native engine this only shows that training runs; `npx herd setup` says what is missing.')
      const bar = progress('drawing animals')
      const { folder } = await drawDataset({ out: data ?? '', perClass, seed: 1, onProgress: (done, total) => bar.update(done, total) })
      bar.end()
      const run = out ?? (await RunFolder.create(undefined, () => new Date())).path
      const count = epochs > 0 ? epochs : native ? EPOCHS : EPOCHS_ON_WASM
      const command = ['--data', folder, '--out', path.relative('', run), '--local-workers', String(workers), '--listen', '127.0.0.1:0', '--http-port', '0', '--epochs', String(count), ...recipe, ...(logFormat === 'json' ? ['--log-format', logFormat] : [])]
      say(`Ten kinds of animals are drawn in ${folder}. Training on them is this command:\n  npx coordinator ${command.join(' ')}\n`)
      const exitCode = await runCoordinator(command)
      if (exitCode !== 0) {
        process.exitCode = exitCode
        return true
      }
      say(`With your own images, a folder for each class:\n  npx coordinator --data my-images --local-workers ${workers}`)
      return true
    },
  })
}

/**
 * Runs the coordinator and resolves with its exit code. Ctrl-C on the terminal reaches the coordinator too: it ends in order,
 * and this program after it.
 * @throws RunError if the coordinator cannot be started.
 */
function runCoordinator(command: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...NODE_OPTIONS, COORDINATOR, ...command], { stdio: 'inherit', env: { ...process.env, ...NODE_ENVIRONMENT } })
    const wait = (): void => undefined
    const handOn = (): void => void child.kill('SIGTERM')
    process.on('SIGINT', wait)
    process.on('SIGTERM', handOn)
    child.once('error', (error) => reject(new RunError(`the coordinator cannot be started: ${error.message}`)))
    child.once('exit', (code) => {
      process.off('SIGINT', wait)
      process.off('SIGTERM', handOn)
      resolve(code ?? 1)
    })
  })
}
