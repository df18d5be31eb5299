import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { ROOT } from '../../shared/kit/project.ts'

const DOCS = path.join(ROOT, 'docs')

interface Reference {
  row: string
  file: string
  name: string
}

/** The test that each row of docs/failures.md names, in its last column: [file](path) "part of the test's name". */
async function references(): Promise<Reference[]> {
  const rows = (await readFile(path.join(DOCS, 'failures.md'), 'utf8')).split('\n').filter((line) => line.startsWith('| ') && !/^\| (what|---)/.test(line))
  return rows.map((row) => {
    const { file, name } = /\]\((?<file>[^)]+)\) "(?<name>[^"]+)" \|$/.exec(row)?.groups ?? {}
    assert.ok(file !== undefined && name !== undefined, `names no test: ${row}`)
    return { row, file, name }
  })
}

test('every failure that docs/failures.md lists names a test that there is', async () => {
  const listed = await references()
  assert.ok(listed.length > 30)
  for (const { file, name } of listed) {
    const source = await readFile(path.join(DOCS, file), 'utf8')
    const names = source.split('\n').filter((line) => /^test\(/.test(line))
    assert.ok(names.some((line) => line.replaceAll("\\'", "'").includes(name)), `${file} has no test "${name}"`)
  }
})
