import { z } from 'zod'
import { flag, optionalWhole, text, type OptionSpec } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { commandOf } from '../command.ts'
import { DIFFERENT } from '../exit_codes.ts'
import { print } from '../output.ts'
import type { Selection } from '../verify/selection.ts'

const steps: OptionSpec<{ first: number; last: number } | undefined> = {
  placeholder: '<A..B>',
  description: 'Replay steps A to B, counted from 1, and those since the checkpoint before A.',
  expects: 'two step numbers, e.g. 1..500',
  schema: z.string().regex(/^\d+\.\.\d+$/).transform((given) => given.split('..').map(Number)).refine(([first, last]) => first >= 1 && first <= last).transform(([first, last]) => ({ first, last })).optional(),
  fallback: undefined,
}

const share: OptionSpec<number | undefined> = {
  placeholder: '<share>',
  description: 'Replay a share of the steps, in stretches from one checkpoint to the next that are chosen at random; 0%: none (default: 100%).',
  expects: 'a percentage, e.g. 2%',
  schema: z.string().regex(/^\d+(\.\d+)?%$/).transform((given) => Number(given.slice(0, -1)) / 100).pipe(z.number().max(1)).optional(),
  fallback: undefined,
}

/** `herd verify`: replays steps of a run, and says whether they come to what the run has noted. */
export const verifyCommand = () =>
  commandOf({
    name: 'verify <run>',
    argument: 'folder of the run',
    options: {
      steps,
      share,
      data: text('<folder>', "Folder of the run's images (default: where its config.json has them)."),
      init: text('<file>', 'Safetensors file that the run began with, if it began with one; without it, its first weights are not checked.'),
      signedBy: text('<file>', 'Public key, PEM: provenance.json must be signed with it.'),
      force: flag('Compare on a machine that computes other bits, too: a difference then proves nothing.'),
      gpu: optionalWhole('<index>', 'GPU to compute on.', { min: 0, max: 255 }),
    },
    examples: ['herd verify runs/first', 'herd verify runs/first --share 2% --signed-by public.pem', 'herd verify runs/first --steps 1..500 --data raw-img'],
    async run({ steps: range, share: part, ...options }, notices, [run]) {
      if (range !== undefined && part !== undefined) throw new UsageError('--steps and --share exclude each other: choose one.')
      const selection: Selection = range ?? { share: part ?? 1 }
      // Loaded here, since a wrong command line needs none of it.
      const { verifyRun } = await import('../verify/verify.ts')
      const { equal, sentence } = await verifyRun({ run, selection, ...options }, notices)
      print(sentence)
      if (!equal) process.exitCode = DIFFERENT
      return true
    },
  })
