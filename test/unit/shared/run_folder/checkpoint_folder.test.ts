import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { loadCheckpoint, type Checkpoint } from '../../../../shared/checkpoint/checkpoint.ts'
import { CheckpointError, NewerCheckpointError, WriteError } from '../../../../shared/kit/errors.ts'
import { CheckpointFolder } from '../../../../shared/run_folder/checkpoint_folder.ts'
import { exampleCheckpoint, temporaryFolder } from '../checkpoint/example.ts'

function at(epoch: number, step: number): Checkpoint {
  const checkpoint = exampleCheckpoint()
  Object.assign(checkpoint.position, { epoch, step })
  checkpoint.parameters[0] = step
  return checkpoint
}

const names = async (folder: CheckpointFolder): Promise<string[]> => (await readdir(folder.path)).sort()
const stepFile = (step: number): string => `step-${String(step).padStart(8, '0')}.ckpt`

test('the last three are kept and those of epochs that are to be kept; latest follows the run', async (context) => {
  const folder = new CheckpointFolder(join(await temporaryFolder(context), 'checkpoints'))
  await folder.save(at(9, 90), { keep: false })
  await folder.save(at(10, 100), { keep: true })
  await folder.save(at(10, 100), { keep: true })
  for (const step of [105, 110, 115]) await folder.save(at(11, step), { keep: false })
  assert.deepEqual(await names(folder), ['epoch-0010.ckpt', 'latest.ckpt', stepFile(105), stepFile(110), stepFile(115)])
  assert.deepEqual(await loadCheckpoint(folder.latest), at(11, 115))
  assert.deepEqual(await loadCheckpoint(folder.ofEpoch(10)), at(10, 100))
  assert.equal((await stat(folder.latest)).ino, (await stat(folder.ofStep(115))).ino, 'one file with two names')
  assert.equal(basename(folder.ofEpoch(12345)), 'epoch-12345.ckpt')
  assert.equal(basename(folder.ofStep(123456789)), 'step-123456789.ckpt')
})

test('the newest sound one is loaded, by how far its run had come; damaged ones are told; files of others are let be', async (context) => {
  const folder = new CheckpointFolder(await temporaryFolder(context))
  for (const step of [10, 20, 30]) await folder.save(at(step / 10, step), { keep: step === 10 })
  assert.deepEqual(await folder.loadNewest(), { file: folder.latest, checkpoint: at(3, 30), damaged: [] })
  await copyFile(folder.ofStep(30), join(folder.path, 'my-own-copy.ckpt'))

  await rm(folder.latest)
  assert.equal((await folder.loadNewest()).file, folder.ofStep(30))
  await truncate(folder.ofStep(30), 500)
  await writeFile(folder.latest, '')
  const passedOver = await folder.loadNewest()
  assert.equal(passedOver.file, folder.ofStep(20))
  assert.deepEqual(passedOver.damaged.map(({ file }) => file), [folder.latest, folder.ofStep(30)])
  assert.match(passedOver.damaged[0].reason, /latest\.ckpt is empty/)
  await rm(folder.ofStep(20))
  assert.equal((await folder.loadNewest()).file, folder.ofEpoch(1))

  // The run goes on from step 10: the damaged later checkpoint is replaced, not kept as newer than those saved now.
  await folder.save(at(2, 15), { keep: false })
  assert.deepEqual(await names(folder), ['epoch-0001.ckpt', 'latest.ckpt', 'my-own-copy.ckpt', stepFile(10), stepFile(15)])
  assert.equal((await folder.loadNewest()).checkpoint.position.step, 15)
})

test('without any sound one the error names the place and what is wrong; a checkpoint of a newer Herd is not passed over', async (context) => {
  const folder = new CheckpointFolder(await temporaryFolder(context))
  await assert.rejects(folder.loadNewest(), (error: unknown) => error instanceof CheckpointError && /has no checkpoint: the run ended before its first one/.test(error.message))
  await folder.save(at(1, 10), { keep: false })
  await folder.save(at(1, 20), { keep: false })
  for (const name of await names(folder)) await truncate(join(folder.path, name), 40)
  await assert.rejects(folder.loadNewest(), (error: unknown) => {
    assert.ok(error instanceof CheckpointError)
    assert.match(error.message, /^none of the 3 checkpoints in .* can be used\. .*latest\.ckpt is truncated/)
    return true
  })
  await folder.save(at(1, 5), { keep: false })
  const newer = Buffer.from(`{"__metadata__":{"herd":${JSON.stringify('{"formatVersion":99}')},"sha256":"x"}}`)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(newer.length))
  await writeFile(folder.latest, Buffer.concat([length, newer]))
  await assert.rejects(folder.loadNewest(), (error: unknown) => error instanceof NewerCheckpointError && /use a newer Herd/.test(error.message))
})

test('a folder that cannot be made, and a name that is taken, fail the save and leave what was there', async (context) => {
  const parent = await temporaryFolder(context)
  await writeFile(join(parent, 'file'), '')
  await assert.rejects(new CheckpointFolder(join(parent, 'file')).save(at(1, 1), { keep: false }), (error: unknown) => error instanceof WriteError && /cannot be made: EEXIST/.test(error.message))
  const folder = new CheckpointFolder(join(parent, 'checkpoints'))
  await folder.save(at(1, 10), { keep: false })
  await mkdir(join(folder.ofEpoch(1), 'inside'), { recursive: true })
  await assert.rejects(folder.save(at(1, 20), { keep: true }), /epoch-0001\.ckpt cannot be written/)
  assert.deepEqual(await names(folder), ['epoch-0001.ckpt', 'latest.ckpt', stepFile(10), stepFile(20)])
  assert.deepEqual((await folder.loadNewest()).checkpoint, at(1, 20))
})
