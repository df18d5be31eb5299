/** Arguments that let a child Node process run a TypeScript file of this project. */
export function typescriptArguments(file: string): string[] {
  return ['--import', import.meta.resolve('tsx'), file]
}
