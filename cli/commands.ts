import type { Command } from 'commander'

/** A command of `herd`; its module, with everything it imports, is loaded only when the command is used. */
interface ToolCommand {
  description: string
  load: () => Promise<Command>
}

/** Commands in the order of the help. */
export const commands: Readonly<Record<string, ToolCommand>> = {
  setup: {
    description: 'obtain the native engine (TensorFlow below tfjs-node); instant when it is there already',
    load: async () => (await import('./setup/command.ts')).setupCommand(),
  },
  demo: {
    description: "draw the built-in animals, and train the article's network on them with a coordinator and its workers",
    load: async () => (await import('./commands/demo.ts')).demoCommand(),
  },
  data: {
    description: 'check a data set, or draw one',
    load: async () => (await import('./commands/data.ts')).dataCommand(),
  },
  recipe: {
    description: 'look at recipes: all that decides what a run comes to',
    load: async () => (await import('./commands/recipe.ts')).recipeCommand(),
  },
  model: {
    description: 'look at a network: layers, shapes, parameters, operations, and where the time of a step goes',
    load: async () => (await import('./commands/model.ts')).modelCommand(),
  },
  weights: {
    description: 'obtain pretrained weights, convert those of PyTorch, list those of a file',
    load: async () => (await import('./commands/weights.ts')).weightsCommand(),
  },
  predict: {
    description: 'class and probability of each image',
    load: async () => (await import('./commands/predict.ts')).predictCommand(),
  },
  serve: {
    description: 'classify images by HTTP, for other programs, and on a page to drop them on',
    load: async () => (await import('./commands/serve.ts')).serveCommand(),
  },
  evaluate: {
    description: 'loss and accuracy of a checkpoint on a data set; on the run\'s own, exactly what the run reported',
    load: async () => (await import('./commands/evaluate.ts')).evaluateCommand(),
  },
  export: {
    description: 'write the network and its weights for other programs',
    load: async () => (await import('./commands/export.ts')).exportCommand(),
  },
  certs: {
    description: 'make certificates by which a coordinator and its workers know each other',
    load: async () => (await import('./commands/certs.ts')).certsCommand(),
  },
  verify: {
    description: 'replay steps of a run, and say whether it is what it claims to be',
    load: async () => (await import('./commands/verify.ts')).verifyCommand(),
  },
  diff: {
    description: 'say where two runs part: configuration, data, machine, or the first step and lane',
    load: async () => (await import('./commands/diff.ts')).diffCommand(),
  },
  top: {
    description: 'watch a run on the terminal: loss, speed, and what each worker does',
    load: async () => (await import('./commands/top.ts')).topCommand(),
  },
  show: {
    description: 'the live page of runs that have ended, or that another process goes on with',
    load: async () => (await import('./commands/show.ts')).showCommand(),
  },
  report: {
    description: 'write the page about a run: curves, figures by class, mistakes, recipe, digest',
    load: async () => (await import('./commands/report.ts')).reportCommand(),
  },
  compare: {
    description: 'write a page that compares runs, and print its table',
    load: async () => (await import('./commands/compare.ts')).compareCommand(),
  },
  sweep: {
    description: 'train with many recipes, on the training images alone, and say which is best',
    load: async () => (await import('./commands/sweep.ts')).sweepCommand(),
  },
  fingerprint: {
    description: 'the bits that this machine computes, to compare with others',
    load: async () => (await import('./commands/fingerprint.ts')).fingerprintCommand(),
  },
  plan: {
    description: 'predict the speed of a cluster: steps/s, what limits it, how many workers are worth having',
    load: async () => (await import('./commands/plan.ts')).planCommand(),
  },
}
