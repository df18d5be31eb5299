import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { FolderSource, type HashedFiles } from '../../../../shared/data/sources/folder_source.ts'
import { DataError } from '../../../../shared/kit/errors.ts'
import { sha256Of } from '../../../../shared/kit/sha256.ts'

let folder: string
const contents = ['first', 'second'].map((text) => Buffer.from(text))

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'herd-source-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function written(name: string): Promise<HashedFiles> {
  const files = await Promise.all(contents.map(async (data, index) => {
    const file = path.join(folder, `${name}-${index}`)
    await writeFile(file, data)
    return file
  }))
  return { file: (id) => files[id], sha256: (id) => sha256Of(contents[id]) }
}

test('files come in the order in which they are asked for', async () => {
  const source = new FolderSource(await written('plain'))
  assert.deepEqual(await source.read([1, 0, 1]), [contents[1], contents[0], contents[1]])
})

test('a file that is away for a moment, and one that is being written anew, are read when they are there again', async () => {
  const files = await written('away')
  await rename(files.file(0), `${files.file(0)}.moved`)
  await writeFile(files.file(1), 'sec')
  const reading = new FolderSource(files, 50).read([0, 1])
  setTimeout(() => void Promise.all([rename(`${files.file(0)}.moved`, files.file(0)), writeFile(files.file(1), contents[1])]), 120)
  assert.deepEqual(await reading, contents)
})

test('a file that stays away, and one whose bytes are others than those that were checked, are named', async () => {
  const files = await written('gone')
  await rm(files.file(0))
  await writeFile(files.file(1), 'other')
  const source = new FolderSource(files, 1)
  await assert.rejects(source.read([0]), (error: Error) => error instanceof DataError && error.message.startsWith(`${files.file(0)} was there when the data set was checked, but cannot be read now: ENOENT`))
  await assert.rejects(source.read([1]), new DataError(`${files.file(1)} has changed since the data set was checked: put the old file back, or begin another run with the new one.`))
})
