import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { coordinatorOptions } from '../../coordinator/options.ts'
import { optionTable } from '../../shared/command/options.ts'
import { ROOT } from '../../shared/kit/project.ts'

const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8')

test("the README's table of options is the program's", () => {
  const [, table] = /<!-- options of the coordinator: begin -->\n([^]*?)<!-- options of the coordinator: end -->/.exec(readme) ?? []
  assert.equal(table, optionTable(coordinatorOptions))
})
