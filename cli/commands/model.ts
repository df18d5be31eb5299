import type { Command } from 'commander'
import { choice, flag, optionalWhole, whole, type OptionValues } from '../../shared/command/options.ts'
import { measureLayers } from '../../shared/compute/layer_times.ts'
import type { LayerTimes } from '../../shared/compute/layer_times_protocol.ts'
import { resolveEngine } from '../../shared/engine/create.ts'
import { figure } from '../../shared/kit/figure.ts'
import type { Log } from '../../shared/kit/log.ts'
import { gradientFlops } from '../../shared/model/flops.ts'
import { buildNetwork, type Model } from '../../shared/model/models.ts'
import type { Layer, Network } from '../../shared/model/network.ts'
import { summaryOf, type LayerSummary } from '../../shared/model/summary.ts'
import { readModel } from '../../shared/recipe/asked.ts'
import { article } from '../../shared/recipe/presets.ts'
import { commandOf } from '../command.ts'
import { counted, percent, print, printJson, tableOf } from '../output.ts'

const DEFAULT_CLASSES = 10
/** About how long --time measures, beside the time to compile the layers. */
const SECONDS = 10

const options = {
  imageSize: optionalWhole('<pixels>', `Height and width of images (default: that of the file, or else ${article.imageSize}).`, { min: 1, max: 4096 }),
  classes: optionalWhole('<count>', `Classes (default: those of the file, or else ${DEFAULT_CLASSES}).`, { min: 2, max: 1_000_000 }),
  time: flag('Measure where the time of a step goes on this machine: each layer by itself, forward and backward.'),
  lane: whole('<images>', 'Images that --time computes at once, as many as a lane has.', { min: 1, max: 4096 }, 8),
  engine: choice('Engine that --time measures; auto takes what is installed.', ['auto', 'native', 'wasm'], 'auto'),
  threads: whole('<count>', 'Threads inside one operation, for --time.', { min: 1, max: 1024 }, article.threads),
  json: flag('Print one JSON object, for machines.'),
}

/** `herd model`: tells what a network consists of, and what it costs. */
export const modelCommand = (): Command =>
  commandOf({
    name: 'model <network>',
    argument: 'a network that comes with Herd, or a JSON file with its layers',
    options,
    examples: ['herd model article', 'herd model resnet18 --image-size 128 --classes 10', 'herd model my-network.json --time', 'herd model efficientnet_lite0 --image-size 224 --classes 1000 --json'],
    async run(given, { log }, [nameOrFile]) {
      const network = networkOf(readModel(nameOrFile, nameOrFile), given)
      const layers = summaryOf(network)
      const times = given.time ? await timesOf(network, given, log) : undefined
      if (given.json) printJson(asJson(network, layers, times))
      else for (const line of linesOf(network, layers, times, given.lane)) print(line)
      return true
    },
  })

function networkOf(model: Model, { imageSize, classes }: OptionValues<typeof options>): Network {
  const own = typeof model === 'string' ? undefined : model
  return buildNetwork(model, { imageSize: imageSize ?? own?.imageSize ?? article.imageSize, classes: classes ?? own?.classes ?? DEFAULT_CLASSES })
}

async function timesOf(network: Network, { engine, threads, lane }: OptionValues<typeof options>, log: Log): Promise<LayerTimes> {
  const resolved = resolveEngine(engine, 'f32')
  if (resolved.notice !== undefined) log.warn(resolved.notice)
  return measureLayers({ network, engine: resolved.engine, threads, lane, seconds: SECONDS })
}

function asJson(network: Network, layers: readonly LayerSummary[], times: LayerTimes | undefined): object {
  const { name, imageSize, classes, mean, std } = network
  const timeOf = new Map(times?.layers.map((time) => [time.name, time]))
  return {
    name, imageSize, classes, mean, std, ...totalsOf(network, layers),
    ...(times === undefined ? {} : { time: { engine: times.version, stepSeconds: times.step } }),
    layers: layers.map(({ layer, name: layerName, depth, output, parameters, statistics, multiplyAdds, receptiveField }) => {
      const time = timeOf.get(layerName)
      return { name: layerName, type: layer.type, depth, output, parameters, statistics, multiplyAdds, receptiveField, ...(time === undefined ? {} : { forwardSeconds: time.forward, backwardSeconds: time.backward }) }
    }),
  }
}

interface Totals {
  parameters: number
  statistics: number
  multiplyAdds: number
  gradientFlops: number
}

function totalsOf(network: Network, layers: readonly LayerSummary[]): Totals {
  const sum = (what: 'parameters' | 'statistics' | 'multiplyAdds'): number => layers.reduce((total, layer) => total + layer[what], 0)
  return { parameters: sum('parameters'), statistics: sum('statistics'), multiplyAdds: sum('multiplyAdds'), gradientFlops: gradientFlops(network) }
}

function linesOf(network: Network, layers: readonly LayerSummary[], times: LayerTimes | undefined, lane: number): string[] {
  const { parameters, statistics, multiplyAdds, gradientFlops: flops } = totalsOf(network, layers)
  const all = times?.layers.reduce((sum, { forward, backward }) => sum + forward + backward, 0) ?? 0
  const timeOf = new Map(times?.layers.map(({ name, forward, backward }) => [name, [milliseconds(forward), milliseconds(backward), percent(all === 0 ? 0 : (forward + backward) / all)]]))
  const rows = layers.map(({ name, layer, depth, output, parameters: own, multiplyAdds: products, receptiveField }) => [
    `${'  '.repeat(depth)}${name}${detailsOf(layer)}`, output.join(' x '), own === 0 ? '' : grouped(own), products === 0 ? '' : million(products), String(receptiveField), ...(timeOf.get(name) ?? []),
  ])
  return [
    `${network.name}: images of ${network.imageSize} x ${network.imageSize} pixels, ${counted(network.classes, 'class')}`,
    '',
    ...tableOf([['layer', 'output', 'parameters', 'M multiply-adds', 'sees', ...(times === undefined ? [] : ['forward', 'backward', 'share'])], ...rows]),
    '',
    `${grouped(parameters)} parameters${statistics === 0 ? '' : `, and ${grouped(statistics)} running statistics`}; one image takes ${million(multiplyAdds)} million multiply-adds, and its gradient ${figure(flops / 1e9)} GFLOP`,
    ...(times === undefined ? [] : [
      `a step of ${counted(lane, 'image')} takes ${milliseconds(times.step)} by ${times.version}, ${figure(lane / times.step)} images/s; its layers, computed one by one, ${milliseconds(all)}`,
    ]),
  ]
}

/** What distinguishes a layer from others of its type. */
function detailsOf(layer: Layer): string {
  switch (layer.type) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return ` ${layer.kernel}x${layer.kernel}${strideOf(layer.stride)}`
    case 'maxPool':
    case 'averagePool':
      return ` ${layer.size}x${layer.size}${strideOf(layer.stride)}`
    case 'zeroPad':
      return ` ${layer.before}+${layer.after}`
    case 'dropout':
      return ` ${layer.rate}`
    case 'batchNorm':
    case 'dense':
    case 'residual':
    case 'relu':
    case 'relu6':
    case 'silu':
    case 'hardSwish':
    case 'globalAveragePool':
    case 'flatten':
      return ''
  }
}

function strideOf(stride: number): string {
  return stride === 1 ? '' : ` /${stride}`
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

function million(count: number): string {
  return (count / 1e6).toFixed(2)
}

function milliseconds(seconds: number): string {
  return `${(seconds * 1000).toFixed(2)} ms`
}
