import module from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { compileIfNewer } from './compile.mjs'

/** Runs one of the programs, compiled first if sources have changed. @param name its module below dist/programs/ */
export async function start(name) {
  ensureHome()
  // Node 22 and newer keep the code that V8 has compiled for the next start.
  module.enableCompileCache?.()
  await compileIfNewer()
  const [program, { runProgram }] = await Promise.all([import(`../dist/programs/${name}.js`), import('../dist/programs/program.js')])
  await runProgram(program.main, process.argv.slice(2))
}

/** Gives a user without a home folder one: in containers, users without a name are usual, and libraries ask for the folder when they are loaded. */
function ensureHome() {
  try {
    homedir()
  } catch {
    process.env.HOME = tmpdir()
  }
}
