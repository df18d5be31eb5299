import { z } from 'zod'
import { UsageError } from '../kit/errors.ts'
import { foremost } from '../kit/foremost.ts'
import { isStatistic, layerOf, wholeLayoutOf, type Parameter } from './layout.ts'
import type { Network } from './network.ts'
import { torchNamesOf } from './torch_names.ts'

/** Schema of a pattern of names of parameters. */
export const patternSchema = z.string().regex(/^[\w./*-]+$/, 'expected the name of a parameter or a layer, with * for any letters, or head, or backbone')

/** Number of names that an error proposes. */
const PROPOSED = 4

/**
 * Finds the parameters that a pattern names. `head` is the last layer that has parameters, `backbone` all others. Any other pattern is the name of a parameter (conv2d_3/kernel) or of a
 * layer (conv2d_3), in which * stands for any letters; for a network that was published with weights it may be PyTorch's name of either (layer1.0.conv1.weight).
 * @param option what the user has written, for the error
 * @returns those that the optimizer can step, in the order of computation: running statistics have no names of their own
 * @throws UsageError that proposes names, if there is none
 */
export function parametersNamed(pattern: string, network: Network, option: string): Parameter[] {
  const parameters = wholeLayoutOf(network).parameters.filter((parameter) => !isStatistic(parameter))
  const head = layerOf(parameters[parameters.length - 1])
  if (pattern === 'head' || pattern === 'backbone') return parameters.filter((parameter) => (layerOf(parameter) === head) === (pattern === 'head'))
  const torch = torchNamesOf(network)
  const namesOf = (parameter: Parameter): string[] => {
    const torchName = torch?.get(parameter.name)?.name
    return [parameter.name, layerOf(parameter), ...(torchName === undefined ? [] : [torchName, torchName.slice(0, torchName.lastIndexOf('.'))])]
  }
  const fits = globOf(pattern)
  const found = parameters.filter((parameter) => namesOf(parameter).some((name) => fits.test(name)))
  if (found.length > 0) return found
  const near = foremost(new Set(parameters.flatMap(namesOf)), PROPOSED, (name) => likeness(name, pattern))
  throw new UsageError(`${option}: no parameter of network ${network.name} is named ${pattern}: expected head, backbone, or a name, in which * stands for any letters, e.g. ${near.join(', ')}. "herd model" lists its layers.`)
}

function globOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map((part) => part.replaceAll('.', '\\.')).join('.*')}$`)
}

/** Number of letters that a name and a pattern have alike at their beginnings, and less for a longer name. */
function likeness(name: string, pattern: string): number {
  let alike = 0
  while (alike < name.length && name[alike] === pattern[alike]) alike++
  return alike - name.length / 1000
}
