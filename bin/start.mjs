import module from 'node:module'
import { compileIfNewer } from './compile.mjs'

/** Runs one of the programs, compiled first if sources have changed. @param main path of its module below dist/ */
export async function start(main) {
  // Node 22 and newer keep the code that V8 has compiled for the next start.
  module.enableCompileCache?.()
  await compileIfNewer()
  const [program, { runProgram }] = await Promise.all([import(`../dist/${main}`), import('../dist/shared/command/program.js')])
  await runProgram(program.main, process.argv.slice(2))
}
