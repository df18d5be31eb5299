import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import sharp from 'sharp'
import { saveCheckpoint, type Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf, viewOf } from '../../shared/model/layout.ts'
import { buildNetwork } from '../../shared/model/models.ts'
import { run, type Ended } from '../support/processes.ts'
import type { Workspace } from '../support/workspace.ts'

/** Returns a function that runs `herd` to its end, as a user would start it, with the workspace's cache. */
export function herdIn(workspace: Workspace): (args: readonly string[], environment?: Record<string, string>) => Promise<Ended> {
  return (args, environment = {}) => run('herd', args, { ...workspace.environment, ...environment })
}

export const CLASSES = ['cane', 'gatto', 'ragno']

/** Saves a checkpoint of the tiny network with random weights; `change` alters it before it is saved. */
export async function makeCheckpoint(file: string, change: (checkpoint: Checkpoint) => void = () => undefined): Promise<string> {
  const network = buildNetwork('tiny', { imageSize: 32, classes: CLASSES.length })
  const layout = layoutOf(network)
  const checkpoint: Checkpoint = {
    network,
    classes: CLASSES,
    config: { precision: 'f32', threads: 1, testFraction: 0.5 },
    position: { epoch: 1, step: 1, stepInEpoch: 1, skippedSteps: 0, epochSkippedSteps: 0, epochLossSum: 1, epochCorrect: 0, epochImages: 1, epochSeconds: 1, images: 1, seconds: 1 },
    datasetDigest: 'a'.repeat(64),
    optimizer: { name: 'sgd', moments: ['momentum'] },
    parameters: initialParameters(layout, 3),
    moments: [new Float32Array(layout.size)],
  }
  change(checkpoint)
  await saveCheckpoint(file, checkpoint)
  return file
}

/** Returns a change of weights that gives every image these probabilities: all weights are zero but the last bias, which is their logarithm. */
export function alwaysPredict(probabilities: readonly number[]): (checkpoint: Checkpoint) => void {
  return ({ network, parameters }) => {
    const bias = layoutOf(network).parameters.at(-1)
    if (bias?.role !== 'bias') throw new Error('the network does not end in a bias')
    parameters.fill(0)
    viewOf(parameters, bias).set(probabilities.map(Math.log))
  }
}

/** Writes damaged copies of a checkpoint. @returns their paths, with what `herd` must say about each */
export async function damagedCheckpoints(checkpoint: string, folder: string): Promise<{ file: string; says: RegExp }[]> {
  const bytes = await readFile(checkpoint)
  const altered = Buffer.from(bytes)
  altered[altered.length - 5] ^= 1
  const files: [name: string, content: Buffer | undefined, says: RegExp][] = [
    ['missing.ckpt', undefined, /missing\.ckpt does not exist/],
    ['truncated.ckpt', bytes.subarray(0, bytes.length - 100), /truncated\.ckpt.*truncated|truncated\.ckpt.*damaged/],
    ['altered.ckpt', altered, /altered\.ckpt is damaged: its bytes do not match its checksum/],
    ['text.ckpt', Buffer.from('this is no checkpoint'), /text\.ckpt is damaged or not a checkpoint/],
    ['empty.ckpt', Buffer.alloc(0), /empty\.ckpt is empty/],
  ]
  for (const [name, content] of files) if (content !== undefined) await writeFile(path.join(folder, name), content)
  return files.map(([name, , says]) => ({ file: path.join(folder, name), says }))
}

/** Writes an image of a single colour. */
export async function makeImage(file: string, colour: string): Promise<string> {
  await sharp({ create: { width: 60, height: 48, channels: 3, background: colour } }).toFile(file)
  return file
}

/** Parses each line of the output as JSON. */
export function jsonLines(stdout: string): unknown[] {
  return stdout.trimEnd().split('\n').map((line): unknown => JSON.parse(line))
}
