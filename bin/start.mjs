import module from 'node:module'
import { compileIfNewer } from './compile.mjs'

/** Runs one of the programs, compiled first where its sources are newer. @param main its module below dist/ */
export async function start(main) {
  // Node 22 and newer keep what V8 compiled for the next start.
  module.enableCompileCache?.()
  await compileIfNewer()
  const [program, { runProgram }] = await Promise.all([import(`../dist/${main}`), import('../dist/shared/command/program.js')])
  await runProgram(program.main, process.argv.slice(2))
}
