import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, open, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { ProtocolError } from '../../../../shared/kit/errors.ts'
import { nodeArguments } from '../../../../shared/kit/node_process.ts'
import { CONTENT_AT, MemoryFile } from '../../../../shared/kit/memory_file.ts'
import { withoutSharedMemory } from '../../../support/shared_memory.ts'
import { ROOT } from '../../../../shared/kit/project.ts'

const MODULE = path.join(ROOT, 'dist/shared/kit/memory_file.js')

function created(t: TestContext): MemoryFile {
  const file = MemoryFile.create() ?? assert.fail('this machine has no files in memory')
  t.after(() => file.close())
  return file
}

test('another process finds what was written, and writes back; no name of it is to be seen', { skip: withoutSharedMemory }, async (t) => {
  const file = created(t)
  assert.match(await readlink(`/proc/self/fd/${file.place.descriptor}`), /^\/dev\/shm\/herd-\w+ \(deleted\)$/)
  assert.ok(file.write(CONTENT_AT + 5, Buffer.from('there')))
  const program = `
    const { MemoryFile } = await import(${JSON.stringify(MODULE)})
    const file = MemoryFile.open(${JSON.stringify(file.place)}, 'write')
    const found = Buffer.alloc(5)
    file.read(${CONTENT_AT + 5}, found)
    file.write(${CONTENT_AT}, Buffer.from(found.toString().toUpperCase()))
    const reader = MemoryFile.open(${JSON.stringify(file.place)}, 'read')
    try { reader.write(${CONTENT_AT}, found) } catch (error) { console.log(error.code) }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  assert.equal(stdout, 'EBADF\n', 'who reads only cannot write')
  const back = Buffer.alloc(10)
  file.read(CONTENT_AT, back)
  assert.equal(back.toString(), 'THEREthere')
})

test('a place that is not what it says is not opened: no such process, another file, another kind of file', { skip: withoutSharedMemory }, (t) => {
  const file = created(t)
  const other = created(t)
  const { place } = file
  assert.ok(MemoryFile.open(place, 'read'))
  assert.equal(MemoryFile.open({ ...place, process: 2 ** 31 }, 'read'), undefined)
  assert.equal(MemoryFile.open({ ...place, descriptor: 100_000 }, 'read'), undefined)
  assert.equal(MemoryFile.open({ ...place, key: other.place.key }, 'read'), undefined)
  assert.equal(MemoryFile.open({ ...place, descriptor: other.place.descriptor }, 'read'), undefined)
  const child = spawn(process.execPath, nodeArguments(MODULE), { stdio: 'pipe' })
  t.after(() => child.kill())
  assert.equal(MemoryFile.open({ ...place, process: child.pid ?? 0, descriptor: 1 }, 'write'), undefined, 'a pipe')
})

test('a file with a name is not opened, though its first bytes are the key, in memory or on a disk', { skip: withoutSharedMemory }, async (t) => {
  // The process may name any of its files whose beginning it knows, such as a database.
  const key = Buffer.from('SQLite format 3\0')
  for (const folder of ['/dev/shm', tmpdir()]) {
    const file = path.join(folder, `herd-named-${process.pid}`)
    await writeFile(file, Buffer.concat([key, Buffer.alloc(4096, 7)]))
    t.after(() => rm(file))
    const handle = await open(file, 'r+')
    t.after(() => handle.close())
    const place = { process: process.pid, descriptor: handle.fd, key: key.toString('hex') }
    for (const access of ['read', 'write'] as const) assert.equal(MemoryFile.open(place, access), undefined, file)
  }
})

test('it says how much memory it takes, and what is not there cannot be read', { skip: withoutSharedMemory }, (t) => {
  const file = created(t)
  const empty = file.bytes
  assert.ok(file.write(CONTENT_AT, Buffer.alloc(1024 * 1024, 1)))
  assert.ok(file.bytes - empty >= 1024 * 1024)
  assert.throws(() => file.read(CONTENT_AT + 1024 * 1024 - 1, Buffer.alloc(2)), new ProtocolError(`shared memory has no 2 bytes at ${CONTENT_AT + 1024 * 1024 - 1}`))
})

test('a folder that cannot be written has no files; one that is full says so', { skip: withoutSharedMemory }, async (t) => {
  assert.equal(MemoryFile.create('/proc'), undefined)
  const folder = await mkdtemp(path.join(tmpdir(), 'herd-memory-'))
  const mount = promisify(execFile)
  try {
    await mount('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder])
  } catch {
    await rm(folder, { recursive: true })
    return t.skip('only root can mount a small folder')
  }
  t.after(async () => {
    await mount('umount', ['-l', folder])
    await rm(folder, { recursive: true })
  })
  const file = MemoryFile.create(folder) ?? assert.fail('not created')
  t.after(() => file.close())
  assert.equal(file.write(CONTENT_AT, Buffer.alloc(16 * 1024)), true)
  assert.equal(file.write(CONTENT_AT, Buffer.alloc(128 * 1024)), false)
  assert.equal(file.write(CONTENT_AT, Buffer.alloc(16 * 1024)), true)
})
