import { UsageError } from '../../shared/kit/errors.ts'
import { commandOf } from '../command.ts'
import { DIFFERENT } from '../exit_codes.ts'
import { print } from '../output.ts'
import { diffRuns } from '../verify/diff.ts'

/** `herd diff`: says where two runs part. */
export const diffCommand = () =>
  commandOf({
    name: 'diff <run...>',
    argument: 'folders of two runs',
    options: {},
    examples: ['herd diff runs/first runs/second'],
    async run(_options, _notices, given) {
      if (given.length !== 2) throw new UsageError(`${given.length} folders: expected those of two runs.`)
      const { equal, sentences } = await diffRuns(given[0], given[1])
      sentences.forEach(print)
      if (!equal) process.exitCode = DIFFERENT
      return true
    },
  })
