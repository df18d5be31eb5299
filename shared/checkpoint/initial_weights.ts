import { UsageError } from '../kit/errors.ts'
import { viewOf, type Layout, type Parameter } from '../model/layout.ts'
import type { Network, Shape } from '../model/network.ts'
import { torchNamesOf } from '../model/torch_names.ts'
import type { NamedTensor } from './safetensors.ts'
import { fromTorch, torchShape } from './torch_order.ts'
import { torchNetwork } from './torch_weights.ts'

/** What a file calls a parameter, and how its numbers lie there. */
interface Place {
  parameter: Parameter
  name: string
  shape: Shape
  /** Writes the tensor's values to where they belong in the flat vector. */
  put: (values: Float32Array, vector: Float32Array) => void
}

/** A way to name parameters. */
interface Naming {
  /** Whose names these are, as a part of a sentence. */
  whose: string
  places: readonly Place[]
}

/** What was taken from a file. */
export interface TakenWeights {
  /** Number of parameters that were taken. */
  taken: number
  /** Three sentences: what was taken, what in the file was not, what the file lacks. */
  sentences: [string, string, string]
}

const MOST_NAMED = 6

/**
 * Takes weights from a file's tensors into a network's vector, by name and shape. Files can have Herd's own names (a checkpoint's, or those of
 * `herd export`), or PyTorch's of a network that was published with them; the naming that fits most of the vector counts.
 * @param vector receives what fits; all else stays as it is
 * @param file the file's name, for what is said
 * @throws UsageError if nothing fits
 */
export function takeWeights(tensors: readonly NamedTensor[], network: Network, layout: Layout, vector: Float32Array, file: string): TakenWeights {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const fits = ({ name, shape }: Place): boolean => byName.get(name)?.shape.join() === shape.join()
  const valuesOf = ({ places }: Naming): number => places.filter(fits).reduce((sum, { parameter }) => sum + parameter.size, 0)
  const ways: (Naming & { values: number })[] = []
  for (const naming of namings(network, layout)) {
    ways.push({ ...naming, values: valuesOf(naming) })
    if (ways.at(-1)!.values > layout.size / 2) break
  }
  const { whose, places, values } = ways.reduce((best, way) => (way.values > best.values ? way : best))
  if (values === 0) throw new UsageError(`--init ${file}: none of its ${tensors.length} tensors (${listed(tensors.map(({ name }) => name))}) fits a parameter of network ${network.name} by name and shape, such as ${example(ways)}. Is --model the network that it is of?`)

  const taken = places.filter(fits)
  for (const { name, put } of taken) put(byName.get(name)!.values, vector)
  const used = new Set(taken.map(({ name }) => name))
  const wanted = new Map(places.map((place) => [place.name, place]))
  const left = tensors.filter(({ name }) => !used.has(name)).map(({ name, shape }) => {
    const place = wanted.get(name)
    return place === undefined ? name : `${name} [${shape.join(', ')}], which is [${place.shape.join(', ')}] here`
  })
  const missing = places.filter((place) => !fits(place)).map(({ parameter }) => parameter.name)
  return {
    taken: taken.length,
    sentences: [
      `--init ${file}: ${taken.length} of ${places.length} parameters, ${values.toLocaleString('en')} of ${layout.size.toLocaleString('en')} values, are taken from it, by ${whose}.`,
      left.length === 0 ? 'All that it has is used.' : `Not taken from it: ${listed(left)}.`,
      missing.length === 0 ? 'Nothing was missing.' : `Missing, and drawn by --seed instead: ${listed(missing)}.`,
    ],
  }
}

function example(ways: readonly Naming[]): string {
  return ways.map(({ places: [{ name, shape }] }) => `${name} [${shape.join(', ')}]`).join(' or ')
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMED
  return more > 1 ? `${names.slice(0, MOST_NAMED).join(', ')} and ${more} more` : names.join(', ')
}

/** Lists the namings, the costly one last. */
function* namings(network: Network, layout: Layout): Generator<Naming> {
  const alike = (name: (parameter: Parameter) => string): Place[] => layout.parameters.map((parameter) => ({ parameter, name: name(parameter), shape: parameter.shape, put: (values, vector) => viewOf(vector, parameter).set(values) }))
  yield { whose: "the names of Herd's checkpoints", places: alike(({ name }) => `parameters/${name}`) }
  yield { whose: "Herd's own names", places: alike(({ name }) => name) }
  const torch = published(network, layout)
  if (torch.length > 0) yield { whose: "PyTorch's names of this network", places: torch }
  const sequential = exported(network, layout)
  if (sequential.length > 0) yield { whose: 'the names of "herd export"', places: sequential }
}

function published(network: Network, layout: Layout): Place[] {
  const names = torchNamesOf(network)
  if (names === undefined) return []
  return layout.parameters.map((parameter) => {
    const { name, kind } = names.get(parameter.name)!
    return { parameter, name, shape: torchShape(kind, parameter.shape), put: (values, vector) => viewOf(vector, parameter).set(fromTorch(kind, parameter.shape, values)) }
  })
}

/** A number of at most this many bits is exact as a float32. */
const HALF_BITS = 16

/**
 * Turns `herd export` round: the places of the vector's elements are exported, as if they were weights, and so it is known where each element of a
 * tensor belongs. Float32 does not hold the places of a large network, so they are exported in two halves.
 */
function exported(network: Network, layout: Layout): Place[] {
  const exportedPlaces = (half: (place: number) => number): readonly NamedTensor[] => {
    const parameters = Float32Array.from({ length: layout.size }, (_, place) => half(place))
    return torchNetwork({ network, parameters }).tensors
  }
  let low: readonly NamedTensor[]
  try {
    low = exportedPlaces((place) => place % 2 ** HALF_BITS)
  } catch (error) {
    // A network that cannot be exported has no names there.
    if (error instanceof UsageError) return []
    throw error
  }
  const high = exportedPlaces((place) => Math.floor(place / 2 ** HALF_BITS))
  return layout.parameters.map((parameter, index) => ({
    parameter,
    name: low[index].name,
    shape: low[index].shape,
    put: (values, vector) => {
      values.forEach((value, at) => {
        vector[high[index].values[at] * 2 ** HALF_BITS + low[index].values[at]] = value
      })
    },
  }))
}
