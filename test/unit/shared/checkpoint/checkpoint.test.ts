import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadCheckpoint, optimizerStateOf, parameterDigest, requireSameNetwork, saveCheckpoint } from '../../../../shared/checkpoint/checkpoint.ts'
import { checksum } from '../../../../shared/checkpoint/save.ts'
import { ROOT } from '../../../../shared/kit/project.ts'
import { optimizerOf, optimizerSchema } from '../../../../shared/optim/optimizers.ts'
import { CheckpointError } from '../../../../shared/kit/errors.ts'
import { trainedOf, withFrozen } from '../../../../shared/model/frozen.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import { everyLayerNetwork, exampleCheckpoint, smallNetwork, temporaryFolder } from './example.ts'

interface RawHeader {
  __metadata__: Record<string, string>
  [name: string]: unknown
}
interface RawEntry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** Splits a safetensors file into header and data, as any reader of the format would. */
function split(bytes: Buffer): { header: RawHeader; data: Buffer } {
  const length = Number(bytes.readBigUInt64LE(0))
  return { header: JSON.parse(bytes.subarray(8, 8 + length).toString()) as RawHeader, data: bytes.subarray(8 + length) }
}
function assemble(header: string | object, data: Buffer): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

/** Asserts that loading fails with a CheckpointError of at most two lines that names the file and matches. */
async function refuses(file: string, bytes: Buffer, expected: RegExp): Promise<void> {
  await writeFile(file, bytes)
  await assert.rejects(loadCheckpoint(file), (error: unknown) => {
    assert.ok(error instanceof CheckpointError, String(error))
    assert.match(error.message, expected)
    assert.ok(error.message.includes(file))
    assert.ok(error.message.split('\n').length <= 2 && error.message.length < 600 + file.length, error.message)
    return true
  })
}

for (const network of [smallNetwork, everyLayerNetwork]) {
  test(`a checkpoint of network ${network.name} comes back as it was saved, and nothing else is left in the folder`, async (context) => {
    const folder = await temporaryFolder(context)
    const file = join(folder, 'latest.ckpt')
    const checkpoint = exampleCheckpoint(network)
    await saveCheckpoint(file, checkpoint)
    assert.deepEqual(await loadCheckpoint(file), checkpoint)
    const changed = { ...checkpoint, position: { ...checkpoint.position, step: 18 } }
    await saveCheckpoint(file, changed)
    assert.deepEqual(await loadCheckpoint(file), changed)
    assert.deepEqual(await readdir(folder), ['latest.ckpt'])
  })
}

test('a checkpoint of a run that keeps parameters has all of them, and moments of the others alone', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  const whole = exampleCheckpoint(everyLayerNetwork)
  const network = withFrozen(everyLayerNetwork, ['conv2d_1', 'batchNorm_1', 'head'])
  const checkpoint = { ...whole, frozen: network.frozen, moments: whole.moments.map((moment) => trainedOf(network, moment)) }
  await saveCheckpoint(file, checkpoint)
  assert.deepEqual(await loadCheckpoint(file), checkpoint)
  const optimizer = optimizerOf(optimizerSchema.parse({ name: 'adam' }))
  assert.deepEqual(optimizerStateOf(checkpoint, optimizer, file), { parameters: trainedOf(network, whole.parameters), moments: checkpoint.moments })
  requireSameNetwork(checkpoint, network, checkpoint.classes, file)
  assert.throws(() => requireSameNetwork(checkpoint, everyLayerNetwork, checkpoint.classes, file), /freezes other parameters of network/)
  await assert.rejects(saveCheckpoint(file, { ...checkpoint, moments: whole.moments }), /adam\.m has \d+ floats, but network/)
})

test('the file is plain safetensors: tensors under their names, bytes where the offsets say, strings as metadata', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  const checkpoint = exampleCheckpoint()
  await saveCheckpoint(file, checkpoint)
  const { header, data } = split(await readFile(file))
  assert.equal((8 + Number((await readFile(file)).readBigUInt64LE(0))) % 8, 0)
  const vectors = { parameters: checkpoint.parameters, 'adam.m': checkpoint.moments[0], 'adam.v': checkpoint.moments[1] }
  const names = Object.keys(header).filter((name) => name !== '__metadata__')
  assert.equal(names.length, 3 * layoutOf(smallNetwork).parameters.length)
  for (const [vectorName, vector] of Object.entries(vectors)) {
    for (const { name, shape, offset, size } of layoutOf(smallNetwork).parameters) {
      const entry = header[`${vectorName}/${name}`] as RawEntry
      assert.equal(entry.dtype, 'F32')
      assert.deepEqual(entry.shape, shape)
      const bytes = data.subarray(...entry.data_offsets)
      assert.deepEqual(Array.from({ length: size }, (_, i) => bytes.readFloatLE(4 * i)), [...vector.subarray(offset, offset + size)])
    }
  }
  const herd = JSON.parse(header.__metadata__['herd']) as Record<string, unknown>
  assert.deepEqual(herd['position'], checkpoint.position)
  assert.deepEqual(herd['optimizer'], { name: 'adam', moments: ['m', 'v'] })
  assert.equal(herd['digest'], parameterDigest(checkpoint.parameters))
  assert.equal(header.__metadata__['sha256'], createHash('sha256').update(header.__metadata__['herd']).update(data).digest('hex'))
})

test('the digest is sha256 over little-endian float32, of the view only', () => {
  const vector = Float32Array.of(9, 1, -2.5)
  const expected = createHash('sha256').update(Buffer.from('0000803f000020c0', 'hex')).digest('hex')
  assert.equal(parameterDigest(vector.subarray(1)), expected)
})

test('a diverged run can be saved: NaN sums and parameters come back', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  const checkpoint = exampleCheckpoint()
  checkpoint.position.epochLossSum = NaN
  checkpoint.parameters[3] = NaN
  await saveCheckpoint(file, checkpoint)
  assert.deepEqual(await loadCheckpoint(file), checkpoint)
})

test('saving refuses vectors of the wrong size and folders that cannot be written, and leaves nothing behind', async (context) => {
  const folder = await temporaryFolder(context)
  const checkpoint = exampleCheckpoint()
  await assert.rejects(saveCheckpoint(join(folder, 'a.ckpt'), { ...checkpoint, moments: [checkpoint.moments[0].subarray(1), checkpoint.moments[1]] }), /adam\.m has \d+ floats/)
  await assert.rejects(saveCheckpoint(join(folder, 'a.ckpt'), { ...checkpoint, moments: [] }), /1 vectors, but optimizer adam has parameters, adam\.m, adam\.v/)
  await assert.rejects(saveCheckpoint(join(folder, 'missing', 'a.ckpt'), checkpoint), CheckpointError)
  await mkdir(join(folder, 'taken.ckpt', 'inside'), { recursive: true })
  await assert.rejects(saveCheckpoint(join(folder, 'taken.ckpt'), checkpoint), /cannot be written/)
  assert.deepEqual(await readdir(folder), ['taken.ckpt'])
})

test('missing, unreadable, empty, short and foreign files are refused', async (context) => {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'a.ckpt')
  await assert.rejects(loadCheckpoint(file), (error: unknown) => error instanceof CheckpointError && /does not exist/.test(error.message))
  await assert.rejects(loadCheckpoint(folder), (error: unknown) => error instanceof CheckpointError && /is not a file|cannot be opened/.test(error.message))
  await refuses(file, Buffer.alloc(0), /is empty/)
  await refuses(file, Buffer.from('short'), /not a checkpoint/)
  await refuses(file, Buffer.from('{"this is": "some JSON of another program, long enough"}'), /not a checkpoint/)
  await refuses(file, Buffer.alloc(1000), /not a checkpoint/)
  await refuses(file, assemble({ __metadata__: { format: 'pt' }, 'a': { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, Buffer.alloc(4)), /not a checkpoint of Herd/)
  await refuses(file, assemble({}, Buffer.alloc(0)), /not a checkpoint of Herd/)
  if (process.getuid?.() !== 0) {
    await chmod(file, 0)
    await assert.rejects(loadCheckpoint(file), /cannot be opened/)
  }
})

test('a file cut anywhere is refused, and so is one with bytes added', async (context) => {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'a.ckpt')
  await saveCheckpoint(file, exampleCheckpoint())
  const bytes = await readFile(file)
  for (let length = 0; length < bytes.length; length += length < 16 ? 1 : 97) await refuses(file, bytes.subarray(0, length), /empty|truncated|damaged/)
  await refuses(file, bytes.subarray(0, bytes.length - 1), /truncated/)
  await refuses(file, Buffer.concat([bytes, Buffer.alloc(1)]), /1 bytes follow/)
})

test('an altered bit anywhere is refused', async (context) => {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'a.ckpt')
  await saveCheckpoint(file, exampleCheckpoint())
  const bytes = await readFile(file)
  const dataBegin = 8 + Number(bytes.readBigUInt64LE(0))
  for (let position = 0; position < bytes.length; position += position < dataBegin ? 3 : 211) {
    const altered = Buffer.from(bytes)
    altered[position] ^= 1
    await refuses(file, altered, position < dataBegin ? /./ : /do not match its checksum/)
  }
})

test('a checkpoint of format 1, which left no step out, is read', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  const checkpoint = exampleCheckpoint()
  await saveCheckpoint(file, checkpoint)
  const { header, data } = split(await readFile(file))
  const { position, optimizer, ...description } = JSON.parse(header.__metadata__['herd']) as { position: Record<string, number>; optimizer: object }
  assert.deepEqual(optimizer, checkpoint.optimizer)
  const { skippedSteps, epochSkippedSteps, ...older } = position
  assert.ok(skippedSteps > 0 && epochSkippedSteps > 0)
  header.__metadata__['herd'] = JSON.stringify({ ...description, formatVersion: 1, position: older })
  header.__metadata__['sha256'] = await checksum(header.__metadata__['herd'], [checkpoint.parameters, ...checkpoint.moments])
  await writeFile(file, assemble(header, data))
  assert.deepEqual(await loadCheckpoint(file), { ...checkpoint, position: { ...checkpoint.position, skippedSteps: 0, epochSkippedSteps: 0 } })
})

test('a checkpoint of format 2, which names no optimizer, is read as one of Adam', async () => {
  assert.deepEqual(await loadCheckpoint(join(ROOT, 'test/unit/shared/checkpoint/format2.ckpt')), exampleCheckpoint())
})

test('a checkpoint keeps the moments of any optimizer, under its name, and is refused by another', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  const checkpoint = exampleCheckpoint()
  const sgd = { ...checkpoint, optimizer: { name: 'sgd', moments: ['momentum'] }, moments: [checkpoint.moments[1]] }
  await saveCheckpoint(file, sgd)
  assert.deepEqual(await loadCheckpoint(file), sgd)
  const names = Object.keys(split(await readFile(file)).header)
  assert.ok(names.includes('sgd.momentum/conv2d_1/kernel') && !names.some((name) => name.startsWith('adam')))
  assert.deepEqual(optimizerStateOf(sgd, optimizerOf(optimizerSchema.parse({ name: 'sgd' })), file), { parameters: sgd.parameters, moments: sgd.moments })
  assert.throws(() => optimizerStateOf(sgd, optimizerOf(optimizerSchema.parse({ name: 'adam' })), 'a.ckpt'), { name: 'CheckpointError', message: /^a\.ckpt has moments momentum of optimizer sgd, not m, v of adam: use the optimizer/ })
  assert.throws(() => optimizerStateOf(checkpoint, optimizerOf(optimizerSchema.parse({ name: 'adamw' })), 'a.ckpt'), /of optimizer adam, not m, v of adamw/)
})

test('a newer format version is named as such', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  await saveCheckpoint(file, exampleCheckpoint())
  const { header, data } = split(await readFile(file))
  header.__metadata__['herd'] = header.__metadata__['herd'].replace('"formatVersion":3', '"formatVersion":4')
  await refuses(file, assemble(header, data), /checkpoint format 4, this Herd reads 3: use a newer Herd/)
})

test('tensors that do not fit the network, and descriptions that are wrong, are refused even with a right checksum', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  const checkpoint = exampleCheckpoint()
  await saveCheckpoint(file, checkpoint)
  const { header, data } = split(await readFile(file))
  const vectors = [checkpoint.parameters, ...checkpoint.moments]
  const described = async (change: (description: Record<string, unknown>) => void): Promise<Buffer> => {
    const description = JSON.parse(header.__metadata__['herd']) as Record<string, unknown>
    change(description)
    const text = JSON.stringify(description)
    return assemble({ ...header, __metadata__: { herd: text, sha256: await checksum(text, vectors) } }, data)
  }
  const network = (change: object) => described((description) => Object.assign(description['network'] as object, change))
  await refuses(file, await network({ imageSize: 11 }), /does not fit its own network small/)
  await refuses(file, await network({ imageSize: 2 }), /does not fit its own network small: layer conv2d/)
  await refuses(file, await network({ layers: [{ type: 'flatten' }, { type: 'dense', units: 3 }] }), /has 18 tensors instead of 6/)
  await refuses(file, await network({ layers: [{ type: 'attention' }] }), /in its description, network\.layers\.0/)
  const deep = JSON.stringify({ ...JSON.parse(header.__metadata__['herd']) as object, network: 0 }).replace('"network":0', () => `"network":{"name":"deep","imageSize":9,"classes":3,"mean":[0,0,0],"std":[1,1,1],"layers":[${nestedJson(20_000)}]}`)
  await refuses(file, assemble({ ...header, __metadata__: { herd: deep, sha256: 'x' } }, data), /damaged/)
  await refuses(file, await described((description) => { description['classes'] = ['cane', 'gatto'] }), /2 class names for 3 logits/)
  await refuses(file, await described((description) => { delete description['position'] }), /in its description, position/)
  await refuses(file, await described((description) => { (description['position'] as { step: number }).step = -1 }), /position\.step/)
  await refuses(file, assemble({ ...header, __metadata__: { herd: '[', sha256: 'x' } }, data), /description is not JSON/)
})

function nestedJson(depth: number): string {
  return '{"type":"residual","layers":['.repeat(depth) + '{"type":"relu"}' + '],"shortcut":[]}'.repeat(depth)
}

test('hostile headers are refused without allocating what they claim', async (context) => {
  const file = join(await temporaryFolder(context), 'a.ckpt')
  await saveCheckpoint(file, exampleCheckpoint())
  const { header, data } = split(await readFile(file))
  const claims = (length: bigint): Buffer => {
    const bytes = Buffer.alloc(64, '{')
    bytes.writeBigUInt64LE(length)
    return bytes
  }
  for (const length of [0n, 1n, 1n << 40n, (1n << 64n) - 1n]) await refuses(file, claims(length), /claims a length/)
  await refuses(file, claims(10_000_000n), /truncated/)

  const tensors = (entries: Record<string, unknown>): Buffer => assemble({ ...header, ...entries }, data)
  const kernel = 'parameters/conv2d_1/kernel'
  const entry = header[kernel] as RawEntry
  await refuses(file, tensors({ [kernel]: { ...entry, data_offsets: [4, entry.data_offsets[1] + 4] } }), /begins at/)
  await refuses(file, tensors({ [kernel]: { ...entry, data_offsets: [0, 2 ** 52] } }), /cannot have/)
  await refuses(file, tensors({ [kernel]: { ...entry, data_offsets: [0, 2 ** 60] } }), /wrongly/)
  await refuses(file, tensors({ [kernel]: { ...entry, data_offsets: [-4, 8] } }), /wrongly/)
  await refuses(file, tensors({ [kernel]: { ...entry, data_offsets: [8, 0] } }), /begins at|cannot have/)
  await refuses(file, tensors({ [kernel]: { ...entry, shape: [2 ** 30, 2 ** 30, 2 ** 30, 2 ** 30] } }), /cannot have/)
  await refuses(file, tensors({ [kernel]: { ...entry, dtype: 'F64' } }), /cannot have/)
  await refuses(file, tensors({ [kernel]: { ...entry, dtype: 'I32' } }), /is I32 \[/)
  await refuses(file, tensors({ [kernel]: { ...entry, dtype: 'toString' } }), /unknown type/)
  await refuses(file, tensors({ [kernel]: 5 }), /wrongly/)
  await refuses(file, tensors({ last: { dtype: 'F32', shape: [2 ** 40], data_offsets: [data.length, data.length + 2 ** 42] } }), /truncated/)
  await refuses(file, assemble({ ...header, __metadata__: { herd: 5 } }, data), /metadata are not strings/)
  await refuses(file, assemble(JSON.stringify(header).replace('{', '{"__proto__":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'), data), /describes "__proto__" wrongly/)
  await refuses(file, assemble(JSON.stringify(header).replace('{"herd"', '{"__proto__":{"x":1},"herd"'), data), /has a key "__proto__"/)
  await refuses(file, assemble('[1,2]', data), /not a JSON object/)
  await refuses(file, assemble(Buffer.from([0xff, 0xfe, 0x7b]).toString('latin1'), data), /not JSON/)
  assert.equal(({} as Record<string, unknown>)['x'], undefined)
})

test('a checkpoint of another network or class list is refused by naming the difference', () => {
  const checkpoint = exampleCheckpoint()
  const { network, classes } = checkpoint
  requireSameNetwork(checkpoint, structuredClone(network), [...classes], 'f.ckpt')
  const refused = (other: object, otherClasses: string[], expected: RegExp): void => {
    assert.throws(() => requireSameNetwork(checkpoint, { ...network, ...other }, otherClasses, 'f.ckpt'), (error: unknown) => {
      assert.ok(error instanceof CheckpointError)
      assert.match(error.message, /f\.ckpt/)
      assert.match(error.message, expected)
      return true
    })
  }
  refused({ name: 'article' }, classes, /network small, not article: use --model small/)
  refused({ imageSize: 64 }, classes, /images of 9 px, not 64: use --image-size 9/)
  refused({}, ['cane', 'gatto', 'mucca'], /only it has ragno; only the data has mucca/)
  refused({}, ['cane', 'gatto'], /only it has ragno\./)
  refused({}, ['gatto', 'cane', 'ragno'], /another order/)
  refused({ mean: [0, 0, 0] }, classes, /different layers or normalisation/)
})
