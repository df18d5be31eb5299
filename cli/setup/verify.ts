import * as z from 'zod'
import { RunError } from '../../shared/kit/errors.ts'
import { reasonIn, runProcess } from './process.ts'

/** Facts that a working engine reported about itself. */
export interface Verified {
  /** Version of TensorFlow, from the loaded library. */
  tensorflow: string
  usesGpu: boolean
}

/** A function that loads a package in a process of its own and computes with it; it is a parameter so that tests can do without TensorFlow. */
export type Verify = (packageFolder: string, environment: NodeJS.ProcessEnv) => Promise<Verified>

const VERIFY_TIMEOUT_MILLISECONDS = 120_000
const MARK = 'herd-verified '

/** Program that computes a product whose 64 x 64 elements are all 64 * 2 * 3: their sum, 1572864, is exact in float32. */
const PROGRAM = `
const tf = require(process.argv[1])
const product = tf.matMul(tf.fill([64, 64], 2), tf.fill([64, 64], 3))
const sum = tf.sum(product).dataSync()[0]
if (tf.getBackend() !== 'tensorflow') throw new Error('the backend is ' + tf.getBackend())
if (sum !== 1572864) throw new Error('it computed ' + sum + ' instead of 1572864')
const backend = tf.backend()
console.log('${MARK}' + JSON.stringify({ tensorflow: backend.binding.TF_Version, usesGpu: backend.isUsingGpuDevice }))
`

const verifiedSchema = z.object({ tensorflow: z.string(), usesGpu: z.boolean() })

/**
 * Loads the package in a process of its own and computes a product.
 * @throws RunError if it does not load, or computes something wrong
 */
export const verifyPackage: Verify = async (packageFolder, environment) => {
  const result = await runProcess(process.execPath, ['--input-type=commonjs', '-e', PROGRAM, packageFolder], {
    environment: { TF_CPP_MIN_LOG_LEVEL: '3', ...environment },
    timeoutMilliseconds: VERIFY_TIMEOUT_MILLISECONDS,
  })
  const line = result.stdout.split('\n').find((candidate) => candidate.startsWith(MARK))
  if (result.exitCode !== 0 || line === undefined) {
    throw new RunError(`tfjs-node does not work: ${reasonIn(result.tail)}`)
  }
  return verifiedSchema.parse(JSON.parse(line.slice(MARK.length)))
}
