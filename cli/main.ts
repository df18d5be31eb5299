import { Command } from 'commander'
import { setupCommand } from './setup/command.ts'

/** @returns the exit code */
export async function main(argv: string[]): Promise<number> {
  const program = new Command('herd').description('Tools around Herd runs.').exitOverride()
  program.addCommand(setupCommand().exitOverride())
  await program.parseAsync(argv, { from: 'user' })
  return Number(process.exitCode ?? 0)
}
