import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NamedTensorMap } from '@tensorflow/tfjs-core'
import { madeUp, type LayerRuns, type LoneLayer } from '../layer_runs.ts'
import { loadNative } from '../native.ts'
import { Backward } from './backward.ts'
import { formsFor, type GraphForms } from './forms.ts'
import { emitLayers, type ParameterValue } from './forward.ts'
import { NodeBuilder, type Value } from './node_builder.ts'
import { writeSavedModel, type Endpoint, type Signature } from './saved_model.ts'

const NOTHING = 'nothing'
const FORWARD = 'forward'
const BOTH = 'both'

/** A function of the graph, and the shapes of its inputs. */
interface Run {
  signature: Signature
  shapes: Readonly<Record<string, readonly number[]>>
}

/**
 * Prepares layers as parts of one TensorFlow graph, each with its own inputs. Of all results a single number is fetched, since copying them would take as long
 * as some layers do.
 */
export async function prepareGraphLayers(layers: readonly LoneLayer[], count: number, threads: number): Promise<LayerRuns> {
  const { tf, device } = loadNative({ threads, gpu: undefined })
  const forms = formsFor('f32', device)
  const graph = new NodeBuilder()
  const runs = new Map<string, Run>([[NOTHING, nothing(graph)]])
  for (const layer of layers) for (const [kind, run] of Object.entries(graph.within(layer.name, () => runsOf(graph, layer, count, forms)))) runs.set(`${layer.name}/${kind}`, run)

  const folder = await mkdtemp(join(tmpdir(), 'herd-layers-'))
  const tensors = new Map<string, ReturnType<typeof tf.tensor>>()
  const loaded = new Map<string, { model: Awaited<ReturnType<typeof tf.node.loadSavedModel>>; inputs: NamedTensorMap }>()
  try {
    await writeSavedModel(folder, graph, Object.fromEntries([...runs].map(([name, { signature }]) => [name, signature])))
    for (const [name, { shapes }] of runs) {
      const inputs = Object.fromEntries(Object.entries(shapes).map(([input, shape]) => {
        const key = shape.join('x')
        const tensor = tensors.get(key) ?? tf.tensor(madeUp(shape), [...shape], 'float32')
        tensors.set(key, tensor)
        return [input, tensor]
      }))
      loaded.set(name, { model: await tf.node.loadSavedModel(folder, ['serve'], name), inputs })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const call = (name: string) => (): void => {
    const { model, inputs } = loaded.get(name)!
    const outputs = model.predict(inputs) as NamedTensorMap
    for (const output of Object.values(outputs)) output.dataSync()
    tf.dispose(outputs)
  }
  return {
    runs: layers.map(({ name }) => ({ name, forward: call(`${name}/${FORWARD}`), forwardAndBackward: call(`${name}/${BOTH}`) })),
    nothing: call(NOTHING),
    dispose: () => {
      for (const { model } of loaded.values()) model.dispose()
      tf.dispose([...tensors.values()])
    },
  }
}

function nothing(graph: NodeBuilder): Run {
  const value = graph.placeholder(NOTHING, 'float32', [1])
  return { signature: { inputs: { x: { value, shape: [1] } }, outputs: { y: { value: graph.operation('Identity', [value]), shape: [1] } } }, shapes: { x: [1] } }
}

function runsOf(graph: NodeBuilder, { layer, input, output, inputGradient, parameters }: LoneLayer, count: number, forms: GraphForms): Record<typeof FORWARD | typeof BOTH, Run> {
  const shapes: Record<string, readonly number[]> = { x: [count, ...input] }
  const inputs: Record<string, Endpoint> = {}
  const fed = (name: string, shape: readonly number[]): Value => {
    const value = graph.placeholder(name, 'float32', [-1, ...shape.slice(1)])
    inputs[name] = { value, shape: [-1, ...shape.slice(1)] }
    return value
  }
  const x = fed('x', shapes.x)
  const values = parameters.map((parameter): ParameterValue => {
    const value = graph.placeholder(parameter.role, 'float32', parameter.shape)
    inputs[parameter.role] = { value, shape: parameter.shape }
    shapes[parameter.role] = parameter.shape
    return { parameter, value }
  })
  const mask = layer.type === 'dropout' ? [fed('mask', (shapes.mask = shapes.x))] : []
  const { y, steps } = emitLayers(graph, [layer], x, input, { parameters: values, masks: mask, type: 'float32', forms })
  const forward: Run = { signature: { inputs: { ...inputs }, outputs: { y: probe(graph, y, output) } }, shapes: { ...shapes } }

  shapes.dy = [count, ...output]
  const dy = fed('dy', shapes.dy)
  const backward = new Backward(graph, forms)
  const dx = backward.steps(steps, dy, inputGradient)
  const gradients = [...backward.gradients].map(([{ role, shape }, value]) => [role, probe(graph, value, shape.slice(1))] as const)
  const outputs = { ...Object.fromEntries(gradients), ...(dx === undefined ? {} : { dx: probe(graph, dx, input) }) }
  return { forward, both: Object.keys(outputs).length === 0 ? forward : { signature: { inputs, outputs: { ...outputs, y: forward.signature.outputs.y } }, shapes } }
}

/** Emits the first number of a value, for which all of it is computed. @param shape of the value, but for its first dimension */
function probe(graph: NodeBuilder, value: Value, shape: readonly number[]): Endpoint {
  const each = (size: number): number[] => [size, ...shape.map(() => size)]
  return { value: graph.operation('Slice', [value, graph.integers(each(0)), graph.integers(each(1))], { Index: { type: 'int32' } }), shape: each(1) }
}
