import { z } from 'zod'
import type { OptionSpec } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { EXPORT_FORMATS, exportCheckpoint, type ExportFormat } from '../export/export.ts'
import { commandOf, require, requiredText } from '../command.ts'
import { checkpointOption, openCheckpoint } from '../inference.ts'
import { print } from '../output.ts'

const format: OptionSpec<ExportFormat | undefined> = {
  placeholder: `<${EXPORT_FORMATS.join('|')}>`,
  description: 'safetensors: a file for PyTorch; onnx: a file for ONNX Runtime; tfjs: a folder for tf.loadLayersModel; savedmodel: a folder for TensorFlow; web: a folder with a page that classifies photographs. Required.',
  expects: `one of ${EXPORT_FORMATS.join(', ')}`,
  schema: z.enum(EXPORT_FORMATS).optional(),
  fallback: undefined,
}

/** `herd export`: writes the network and weights of a checkpoint for other programs. */
export const exportCommand = () =>
  commandOf({
    name: 'export',
    options: { checkpoint: checkpointOption, format, out: requiredText('<path>', 'File or folder to write; it must not exist yet. Required.', 'a path') },
    examples: [
      'herd export --checkpoint runs/first/checkpoints/latest.ckpt --format safetensors --out animals.safetensors',
      'herd export --checkpoint runs/first/checkpoints/latest.ckpt --format onnx --out animals.onnx',
      'herd export --checkpoint runs/first/checkpoints/latest.ckpt --format tfjs --out web/model',
      'herd export --checkpoint runs/first/checkpoints/latest.ckpt --format web --out site',
      'herd export --checkpoint runs/first/checkpoints/latest.ckpt --format savedmodel --out serving/1',
    ],
    async run(options, { progress }) {
      if (options.format === undefined) throw new UsageError(`--format is missing: expected ${format.expects}.`)
      const out = require(options.out, 'out', 'a file or folder to write, e.g. --out animals.safetensors.')
      const bar = progress('exporting')
      const opened = await openCheckpoint(options.checkpoint)
      const { checkpoint } = opened
      bar.update(1, 2)
      await exportCheckpoint(opened, options.format, out).finally(bar.end)
      print(`${out}: network ${checkpoint.network.name} for ${checkpoint.classes.length} classes, as ${options.format}.`)
      return true
    },
  })
