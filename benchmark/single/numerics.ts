import { z } from 'zod'
import { alternate } from '../bench/contender.ts'
import { herd } from '../bench/sections/step.ts'
import { quantile } from '../bench/statistics.ts'
import { numericsKinds } from '../../shared/engine/engine.ts'

/**
 * Measures what `--numerics portable` costs against `native`: steps of the article's network by two compute processes, in turns.
 * node bin/run.mjs benchmark/single/numerics.ts [rounds] [batch] [image size]
 * Prints images/s of each (median and quartiles), and the ratio of each pair of turns.
 */
const [rounds, batch, imageSize] = z.tuple([z.coerce.number().int().min(1).default(20), z.coerce.number().int().min(1).default(8), z.coerce.number().int().min(156).default(160)]).parse([2, 3, 4].map((index) => process.argv[index]))

const values = await alternate(numericsKinds.map((numerics) => () => herd(numerics, 'native', 'f32', batch, imageSize, undefined, numerics)), rounds, () => undefined)
const [native, portable] = numericsKinds.map((numerics) => values.get(numerics) ?? [])

function line(name: string, of: readonly number[], digits: number): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(of, share).toFixed(digits))
  return `${name}: ${middle} (${low} to ${high})\n`
}

process.stdout.write(`article, ${imageSize} px, ${batch} images a step, one thread, ${rounds} rounds\n`)
process.stdout.write(line('native, images/s', native, 1))
process.stdout.write(line('portable, images/s', portable, 1))
process.stdout.write(line('portable over native', native.map((value, round) => portable[round] / value), 3))
