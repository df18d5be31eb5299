import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createWorkspace, type Workspace } from '../support/workspace.ts'
import { damagedCheckpoints, herdIn, makeCheckpoint } from './fixture.ts'

describe('herd export', { concurrency: 2 }, () => {
  let workspace: Workspace
  let herd: ReturnType<typeof herdIn>
  let checkpoint: string

  before(async () => {
    workspace = await createWorkspace()
    herd = herdIn(workspace)
    checkpoint = await makeCheckpoint(workspace.path('trained.ckpt'))
  })
  after(() => workspace.remove())

  /** Exports the checkpoint into a new folder. @returns the path of the export */
  async function exported(format: string): Promise<string> {
    const out = workspace.path('exports', format)
    const { code, stdout, stderr } = await herd(['export', '--checkpoint', checkpoint, '--format', format, '--out', out])
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${out}: network tiny for 3 classes, as ${format}.\n`, stderr: '' })
    return out
  }

  it('writes safetensors', async () => {
    const bytes = await readFile(await exported('safetensors'))
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString()) as { __metadata__: { network: string } }
    assert.deepEqual((JSON.parse(header.__metadata__.network) as { classes: string[] }).classes, ['cane', 'gatto', 'ragno'])
    assert.equal(Object.keys(header).length, 1 + 6, 'three layers with kernel and bias')
  })

  it('writes a TensorFlow.js model', async () => {
    const out = await exported('tfjs')
    const { weightsManifest } = JSON.parse(await readFile(path.join(out, 'model.json'), 'utf8')) as { weightsManifest: { paths: string[] }[] }
    assert.deepEqual((await readdir(out)).sort(), [...weightsManifest[0].paths, 'model.json', 'preprocessing.json'].sort())
  })

  it('writes a SavedModel', async () => {
    const out = await exported('savedmodel')
    assert.ok((await readdir(out)).includes('saved_model.pb'))
    assert.deepEqual(JSON.parse(await readFile(path.join(out, 'assets/classes.json'), 'utf8')), ['cane', 'gatto', 'ragno'])
  })

  it('refuses wrong options, damaged checkpoints and a path that is taken', async () => {
    const taken = workspace.path('taken')
    const never = workspace.path('never')
    await writeFile(taken, 'precious')
    const [missing, , altered] = await damagedCheckpoints(checkpoint, workspace.folder)
    const cases: [args: string[], code: number, says: RegExp][] = [
      [['--checkpoint', checkpoint, '--out', never], 2, /^error: --format is missing: expected one of safetensors, onnx, tfjs, savedmodel, web\./],
      [['--checkpoint', checkpoint, '--format', 'tfjs'], 2, /^error: --out is missing/],
      [['--checkpoint', checkpoint, '--format', 'tfjs', '--out', taken], 2, /^error: .*taken exists already: remove it, or give another --out\./],
      [['--checkpoint', missing.file, '--format', 'tfjs', '--out', never], 1, missing.says],
      [['--checkpoint', altered.file, '--format', 'safetensors', '--out', never], 1, altered.says],
    ]
    await Promise.all(
      cases.map(async ([args, expected, says]) => {
        const { code, stdout, stderr } = await herd(['export', ...args])
        assert.deepEqual({ code, stdout }, { code: expected, stdout: '' }, stderr)
        assert.match(stderr, says)
      }),
    )
    assert.equal(await readFile(taken, 'utf8'), 'precious')
    assert.ok(!(await readdir(workspace.folder)).includes('never'))
  })
})
