import { createHash } from 'node:crypto'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { createGraphEngine } from '../../../../shared/engine/graph/engine.ts'
import type { Precision } from '../../../../shared/engine/engine.ts'
import { articleLayers, laneOf, networkOf, parametersOf } from './layers_problem.ts'

/** Prints, as a process of its own, the sha256 of the article's gradient in the precision given as its argument. */
const network = networkOf(articleLayers(10), { imageSize: 156, classes: 10 })
const engine = await createGraphEngine(network, { precision: process.argv[2] as Precision, threads: 1, gpu: undefined })
engine.setParameters(parametersOf(network))
const gradient = new Float32Array(layoutOf(network).size)
engine.laneGradient(laneOf(network, 4), gradient)
engine.dispose()
process.stdout.write(createHash('sha256').update(new Uint8Array(gradient.buffer)).digest('hex'))
