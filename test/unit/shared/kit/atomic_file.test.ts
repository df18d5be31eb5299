import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { removeTemporaries, writeAtomically, type Disk } from '../../../../shared/kit/atomic_file.ts'
import { nodeArguments } from '../../../../shared/kit/node_process.ts'
import { temporaryFolder } from '../checkpoint/example.ts'

/** The real disk, with a record of its calls; the call named `fail` fails. */
function watchedDisk(fail?: string): { disk: Disk; calls: string[] } {
  const calls: string[] = []
  const call = async <T>(what: string, real: () => Promise<T>): Promise<T> => {
    calls.push(what)
    // A close that fails has closed the file nevertheless.
    if (what === fail && what.startsWith('close')) await real()
    if (what === fail) throw Object.assign(new Error(`EIO: ${what}`), { code: 'EIO' })
    return real()
  }
  const shown = (path: string): string => basename(path).replace(/\.\d+-\d+\.tmp$/, '.tmp')
  const disk: Disk = {
    open: (path, flags) =>
      call(`open ${shown(path)}`, async () => {
        const handle = await open(path, flags)
        const name = shown(path)
        return {
          writeFile: (data) => call(`write ${name}`, () => handle.writeFile(data)),
          sync: () => call(`fsync ${name}`, () => handle.sync()),
          close: () => call(`close ${name}`, () => handle.close()),
        }
      }),
    rename: (from, to) => call(`rename ${shown(from)} ${shown(to)}`, () => rename(from, to)),
    rm: (path, options) => call(`rm ${shown(path)}`, () => rm(path, options)),
  }
  return { disk, calls }
}

const parts = [Buffer.from('one '), Buffer.from('two')]

test('a file is written beside its name, synchronised, renamed, and then its folder is synchronised', { skip: process.platform === 'win32' && 'Windows has no fsync of folders' }, async (context) => {
  const folder = await temporaryFolder(context)
  const { disk, calls } = watchedDisk()
  await writeAtomically(join(folder, 'a'), parts, { disk })
  const name = basename(folder)
  assert.deepEqual(calls, [
    'open .a.tmp', 'write .a.tmp', 'write .a.tmp', 'fsync .a.tmp', 'close .a.tmp', 'rename .a.tmp a', `open ${name}`, `fsync ${name}`, `close ${name}`,
  ])
  assert.equal(await readFile(join(folder, 'a'), 'utf8'), 'one two')
})

for (const fail of ['open .a.tmp', 'write .a.tmp', 'fsync .a.tmp', 'close .a.tmp', 'rename .a.tmp a']) {
  test(`when the disk fails at "${fail}", the old file stays, and nothing else does`, async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(join(folder, 'a'), 'old')
    await assert.rejects(writeAtomically(join(folder, 'a'), parts, { disk: watchedDisk(fail).disk }), { message: `EIO: ${fail}` })
    assert.equal(await readFile(join(folder, 'a'), 'utf8'), 'old')
    assert.deepEqual(await readdir(folder), ['a'])
  })
}

test('a process killed while it writes leaves the old file whole, and a temporary one that is removed later', async (context) => {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'latest.ckpt')
  await writeFile(file, 'old')
  const child = spawn(process.execPath, [...nodeArguments(join(import.meta.dirname, 'atomic_file_writer.js')), file], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
  assert.equal(await readFile(file, 'utf8'), 'old')
  const [temporary, ...others] = (await readdir(folder)).filter((name) => name !== 'latest.ckpt')
  assert.equal(temporary, `.latest.ckpt.${child.pid}-1.tmp`)
  assert.deepEqual(others, [])
  assert.deepEqual(await removeTemporaries(folder), [temporary])
  assert.deepEqual(await readdir(folder), ['latest.ckpt'])
  assert.deepEqual(await removeTemporaries(join(folder, 'missing')), [])
})
