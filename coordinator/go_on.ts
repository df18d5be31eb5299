import path from 'node:path'
import { optionName, type OptionSpec } from '../shared/command/options.ts'
import { ROOT } from '../shared/kit/project.ts'
import { recipeOptions } from '../shared/recipe/table.ts'
import { coordinatorOptions, type CoordinatorOptions } from './options.ts'

/** Options that the command names by itself, or that are about one start only. */
const OWN: ReadonlySet<string> = new Set(['data', 'out', 'resume', 'recipe', ...Object.keys(recipeOptions)])

/**
 * Writes the command that goes on with a run, as a shell takes it: with the folder and the data in full, and every option that was given and does
 * not come from the checkpoint, such as how many workers to wait for.
 * @param given names of the options that the user set
 * @param folder absolute path of the run
 * @param cwd folder in which the user is
 */
export function goOnCommand(options: CoordinatorOptions, given: ReadonlySet<string>, folder: string, cwd: string): string {
  const others = Object.keys(coordinatorOptions).filter((key) => given.has(key) && !OWN.has(key)).flatMap((key): string[] => {
    const value = options[key as keyof CoordinatorOptions]
    if (value === false || value === undefined) return []
    const option: OptionSpec<unknown> = coordinatorOptions[key as keyof CoordinatorOptions]
    return value === true ? [optionName(key)] : [optionName(key), option.written?.(value) ?? String(value)]
  })
  // Elsewhere, npx would ask the registry for another package of that name.
  const program = cwd === ROOT || cwd.startsWith(ROOT + path.sep) ? ['npx', 'coordinator'] : [process.execPath, path.join(ROOT, 'bin', 'coordinator.mjs')]
  return [...program, '--resume', 'latest', '--out', folder, '--data', path.resolve(cwd, options.data ?? ''), ...others].map(quoted).join(' ')
}

/** Quotes a word for a POSIX shell, if it needs that. */
function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
