import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { compiledFile, compileIfNewer } from './compile.mjs'

/** Runs one TypeScript file of the project, compiled first if sources have changed: `node bin/run.mjs FILE.ts [ARGUMENT ...]`. */
await compileIfNewer()
process.argv.splice(1, 2, compiledFile(path.resolve(process.argv[2])))
await import(pathToFileURL(process.argv[1]).href)
