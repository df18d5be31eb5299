import module from 'node:module'
import { compileIfNewer } from './compile.mjs'

/** Runs one of the programs, compiled first if sources have changed. @param name its module below dist/programs/ */
export async function start(name) {
  // Node 22 and newer keep the code that V8 has compiled for the next start.
  module.enableCompileCache?.()
  await compileIfNewer()
  const [program, { runProgram }] = await Promise.all([import(`../dist/programs/${name}.js`), import('../dist/programs/program.js')])
  await runProgram(program.main, process.argv.slice(2))
}
