import { readdirSync } from 'node:fs'
import path from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { ROOT } from '../shared/kit/project.ts'

/** `npm test`: all test files, or those whose path has one of the words on the command line. */
const words = process.argv.slice(2)
const files = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && (words.length === 0 || words.some((word) => path.join('test', name).includes(word))))
  .sort()
  .map((name) => path.join(ROOT, 'dist/test', name.replace(/\.ts$/, '.js')))

run({ files, concurrency: 1, timeout: 600_000 })
  .on('test:fail', () => {
    process.exitCode = 1
  })
  .compose(new spec())
  .pipe(process.stdout)
