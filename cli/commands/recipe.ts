import { Command } from 'commander'
import { readModel, readRecipe } from '../../shared/recipe/asked.ts'
import { article } from '../../shared/recipe/presets.ts'
import { checkRecipe } from '../../shared/recipe/recipe.ts'
import { commandOf } from '../command.ts'
import { print } from '../output.ts'

/** `herd recipe`: prints or checks a recipe before it is given to a run by --recipe. */
export function recipeCommand(): Command {
  return new Command('recipe').addCommand(showCommand()).addCommand(checkCommand())
}

/** Returns a whole recipe: options that it leaves out have their defaults. @throws UsageError that says what is wrong, and where */
function resolved(nameOrFile: string): object {
  const recipe = { ...article, engine: 'auto' as const, ...readRecipe(nameOrFile) }
  const model = readModel(recipe.model)
  checkRecipe(recipe)
  return { ...recipe, model }
}

const showCommand = () =>
  commandOf({
    name: 'show [recipe]',
    argument: 'a recipe that comes with Herd, or a JSON file (default: article)',
    description: 'print a whole recipe as JSON, with what it leaves to the default',
    options: {},
    examples: ['herd recipe show', 'herd recipe show my-recipe.json > whole.json'],
    run(_options, _notices, [recipe = 'article']) {
      print(JSON.stringify(resolved(recipe), undefined, 2))
      return Promise.resolve(true)
    },
  })

const checkCommand = () =>
  commandOf({
    name: 'check <recipe>',
    argument: 'a recipe that comes with Herd, or a JSON file',
    description: 'say whether a recipe can be trained with, or else what is wrong with it and where',
    options: {},
    examples: ['herd recipe check my-recipe.json'],
    run(_options, _notices, [recipe]) {
      resolved(recipe)
      print(`${recipe} is a recipe that Herd can train with.`)
      return Promise.resolve(true)
    },
  })
