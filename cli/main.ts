import { Command } from 'commander'
import { createProgram } from '../shared/command/program.ts'
import { versionsOf } from '../shared/kit/versions.ts'
import { commands } from './commands.ts'
import { endWhenNobodyReads } from './output.ts'

const notes = `
Examples:
  herd setup                                       get the native engine
  herd demo                                        see it learn, on drawn animals
  herd data draw --out data                        a data set to try Herd with
  herd data check raw-img                          can this folder be trained on?
  herd certs --host 192.0.2.10                     certificates for a cluster
  herd top --coordinator 192.0.2.10:7070           watch a run on the terminal
  herd predict --checkpoint runs/first/checkpoints/latest.ckpt photo.jpg
  herd serve --checkpoint runs/first/checkpoints/latest.ckpt   classify images by HTTP
  herd show runs/first                             look at a run in the browser
  herd report runs/first                           a page about it, with what it gets wrong
  herd compare runs/*                              which recipe was best?
  herd sweep lr.json                               find a better one
  herd verify runs/first                           is it what it claims to be?
  herd plan --workers 64 --network 25Gbit          how fast would a cluster be?

\`herd COMMAND --help\` shows the options of a command, with defaults and examples. Each can also stand in the
environment (HERD_...) or in the file given by --config; the command line wins over the environment, that over the file.
Exit codes: 0 done, 1 something could not be done, 2 the command line is wrong, 3 what was compared differs.`

/** Runs `herd` with its arguments. @returns the exit code */
export async function main(argv: string[]): Promise<number> {
  endWhenNobodyReads(process.stdout)
  const program = createProgram('herd')
    .description('The tool beside the coordinator and the workers: checks and draws data sets, uses what a run has trained.')
    .version(versionsOf().herd, '-V, --version', 'print the version of Herd')
    .addHelpText('after', notes)
  const wanted = argv.find((word) => !word.startsWith('-') && word !== 'help')
  for (const [name, { description, load }] of Object.entries(commands)) add(program, (name === wanted ? await load() : new Command(name)).description(description))
  await program.parseAsync(argv, { from: 'user' })
  return Number(process.exitCode ?? 0)
}

/** Adds a command made on its own, which would otherwise inherit no settings and end the process itself on an error. */
function add(parent: Command, child: Command): void {
  parent.addCommand(child.copyInheritedSettings(parent))
  for (const grandchild of child.commands) (grandchild as Command).copyInheritedSettings(child)
}
