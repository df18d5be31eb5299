import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { WriteError } from '../../../../shared/kit/errors.ts'
import { GrowingFile } from '../../../../shared/kit/growing_file.ts'
import { temporaryFolder } from '../checkpoint/example.ts'

/** Makes a pipe with a name: opening it to write hangs until somebody reads, as a disk in the network may for hours. */
async function hangingFile(file: string): Promise<void> {
  await promisify(execFile)('mkfifo', [file])
}

const add = (file: GrowingFile, ...texts: string[]): void => texts.forEach((text) => file.add(Buffer.from(text)))

test('content is in the file in the order in which it was added, whoever waits for it', async (context) => {
  const file = new GrowingFile(path.join(await temporaryFolder(context), 'a'), { durable: true })
  const writes = Array.from({ length: 50 }, (_, i) => {
    add(file, `${i} `)
    return file.write()
  })
  await Promise.all(writes)
  await file.write()
  assert.equal(await readFile(file.path, 'utf8'), Array.from({ length: 50 }, (_, i) => `${i} `).join(''))
  assert.equal(file.waitingBytes, 0)
})

test('a disk that hangs holds up nobody, and gets all of it when it goes on', async (context) => {
  const file = new GrowingFile(path.join(await temporaryFolder(context), 'pipe'))
  await hangingFile(file.path)
  add(file, 'one')
  const first = file.write()
  let ended = false
  void first.then(() => (ended = true))
  for (let turn = 0; turn < 100; turn++) await setImmediate()
  add(file, 'two', 'three')
  const second = file.write()
  assert.equal(file.write(), second, 'one write waits, however many are asked for')
  assert.deepEqual([ended, file.waitingBytes], [false, 11])
  const reader = await open(file.path, 'r')
  await Promise.all([first, second])
  const { buffer, bytesRead } = await reader.read(Buffer.alloc(100), 0, 100)
  await reader.close()
  assert.equal(buffer.toString('utf8', 0, bytesRead), 'onetwothree')
  assert.equal(file.waitingBytes, 0)
})

test('what the disk refuses is written with the next write, before what came later', async (context) => {
  const folder = path.join(await temporaryFolder(context), 'later')
  const file = new GrowingFile(path.join(folder, 'a'))
  add(file, 'one')
  const refused = file.write()
  add(file, 'two')
  await assert.rejects(refused, (error) => error instanceof WriteError && /later.a cannot be written: ENOENT/.test(error.message))
  assert.equal(file.waitingBytes, 6)
  await mkdir(folder)
  await file.write()
  assert.equal(await readFile(file.path, 'utf8'), 'onetwo')
})

test('what is abandoned is written by nobody, also if it was on its way', async (context) => {
  const folder = path.join(await temporaryFolder(context), 'later')
  const file = new GrowingFile(path.join(folder, 'a'))
  add(file, 'one')
  const refused = file.write()
  await Promise.resolve()
  file.abandon()
  add(file, 'two')
  await assert.rejects(refused, WriteError)
  await mkdir(folder)
  await file.write()
  await assert.rejects(readFile(file.path), /ENOENT/)
  assert.equal(file.waitingBytes, 0)
})
