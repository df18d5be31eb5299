import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readlink, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ADDON_PATH } from '../../../../cli/setup/addon.ts'
import { filesBelow, nativeCache } from '../../../../cli/setup/cache.ts'
import { setUp } from '../../../../cli/setup/setup.ts'
import { ChecksumError, wheelEntry } from '../../../../cli/setup/wheel.ts'
import { RunError, UsageError } from '../../../../shared/kit/errors.ts'
import {
  countingParts,
  createFixture,
  makePackage,
  makeRelease,
  makeWheel,
  needsPython,
  recordingReporter,
  requestFor,
  TENSORFLOW_FILES,
  type Fixture,
} from './fixture.ts'

describe('herd setup', needsPython, () => {
  let fixture: Fixture
  beforeEach(async () => {
    fixture = await createFixture()
  })
  afterEach(() => fixture.close())

  it('downloads, unpacks what is needed, compiles, links and verifies; then does nothing', async () => {
    const release = await makeRelease(fixture)
    const clone = await makePackage(fixture, 'first')
    const parts = countingParts()
    assert.equal(await setUp(requestFor(fixture, release, clone), recordingReporter(), parts), 'native')
    assert.equal(await readFile(join(clone, 'deps/lib/libtensorflow.so.2'), 'utf8'), 'the library')
    assert.equal(await readFile(join(clone, 'deps/lib/libtensorflow_framework.so.2'), 'utf8'), 'the framework')
    assert.equal(await readFile(join(clone, ADDON_PATH), 'utf8'), 'the addon')
    const cache = nativeCache(fixture.environment)
    const cached = await filesBelow(join(cache.folder, wheelEntry(release.wheels[0])))
    assert.deepEqual(cached, [
      'manifest.json',
      'tensorflow/include/tensorflow/c/c_api.h',
      'tensorflow/libtensorflow_cc.so.2',
      'tensorflow/libtensorflow_framework.so.2',
    ])
    assert.ok(!existsSync(cache.staging))
    assert.ok(!existsSync(join(cache.folder, 'lock')))

    const reporter = recordingReporter()
    assert.equal(await setUp(requestFor(fixture, release, clone), reporter, parts), 'native')
    assert.deepEqual(parts.calls, { compile: 1, verify: 1, ownInstaller: 0 })
    assert.equal(await fixture.pipCalls(), 1)
    assert.equal(reporter.notes.length, 1)
    assert.match(reporter.notes[0], /in place: TensorFlow 2\.0\.0 .*Nothing to do/)
  })

  it('only links in a second clone, and verifies it', async () => {
    const release = await makeRelease(fixture)
    const parts = countingParts()
    await setUp(requestFor(fixture, release, await makePackage(fixture, 'first')), recordingReporter(), parts)
    const second = await makePackage(fixture, 'second')
    await fixture.removeTool('g++')
    assert.equal(await setUp(requestFor(fixture, release, second), recordingReporter(), parts), 'native')
    assert.deepEqual(parts.calls, { compile: 1, verify: 2, ownInstaller: 0 })
    assert.equal(await fixture.pipCalls(), 1)
    assert.ok((await readlink(join(second, 'deps/lib/libtensorflow.so'))).startsWith(nativeCache(fixture.environment).folder))
  })

  it('does the work once when two run at once', async () => {
    const release = await makeRelease(fixture)
    const parts = countingParts()
    const clones = [await makePackage(fixture, 'first'), await makePackage(fixture, 'second')]
    const engines = await Promise.all(
      [clones[0], clones[1], clones[0]].map((clone) => setUp(requestFor(fixture, release, clone), recordingReporter(), parts)),
    )
    assert.deepEqual(engines, ['native', 'native', 'native'])
    assert.equal(await fixture.pipCalls(), 1)
    assert.deepEqual(parts.calls, { compile: 1, verify: 2, ownInstaller: 0 })
  })

  it('repairs a cache that was damaged or emptied, and the leavings of one that was killed', async () => {
    const release = await makeRelease(fixture)
    const clone = await makePackage(fixture, 'first')
    const request = requestFor(fixture, release, clone)
    const parts = countingParts()
    await setUp(request, recordingReporter(), parts)
    const cache = nativeCache(fixture.environment)
    await truncate(join(cache.folder, wheelEntry(release.wheels[0]), 'tensorflow/libtensorflow_cc.so.2'), 3)
    await mkdir(join(cache.staging, 'killed'), { recursive: true })
    await writeFile(join(cache.folder, 'lock'), `999999999 ${(await import('node:os')).hostname()} killed`)
    assert.equal(await setUp(request, recordingReporter(), parts), 'native')
    assert.equal(await readFile(join(clone, 'deps/lib/libtensorflow.so'), 'utf8'), 'the library')
    assert.equal(await fixture.pipCalls(), 2)
    assert.equal(parts.calls.compile, 1)
    assert.ok(!existsSync(cache.staging))
    await rm(cache.folder, { recursive: true })
    assert.equal(await setUp(request, recordingReporter(), parts), 'native')
    assert.equal(await fixture.pipCalls(), 3)
    assert.equal(parts.calls.compile, 2)
  })

  it('refuses a wheel with another checksum, and leaves nothing behind', async () => {
    const release = await makeRelease(fixture)
    const clone = await makePackage(fixture, 'first')
    await makeWheel(fixture, release.wheels[0].fileName, { ...TENSORFLOW_FILES, 'tensorflow/more': 'tampered' })
    const parts = countingParts()
    await assert.rejects(setUp(requestFor(fixture, release, clone), recordingReporter(), parts), (error) => {
      assert.ok(error instanceof ChecksumError && error instanceof RunError)
      assert.match(error.message, new RegExp(release.wheels[0].sha256))
      return true
    })
    assert.deepEqual(await filesBelow(nativeCache(fixture.environment).folder), [])
    assert.deepEqual(await filesBelow(clone), ['package.json'])
    assert.deepEqual(parts.calls, { compile: 0, verify: 0, ownInstaller: 0 })
  })

  it('takes a wheel from a file or folder without pip, with a clear error for a wrong one', async () => {
    const release = await makeRelease(fixture)
    const request = requestFor(fixture, release, await makePackage(fixture, 'first'))
    const tryWheel = (wheel: string): Promise<string> => setUp({ ...request, wheel }, recordingReporter(), countingParts())
    await assert.rejects(tryWheel(join(fixture.folder, 'nowhere.whl')), UsageError)
    await assert.rejects(tryWheel(join(fixture.folder, 'bin')), { name: 'UsageError', message: /does not contain tensorflow-2\.0\.0/ })
    await writeFile(join(fixture.folder, 'text.whl'), 'text')
    await assert.rejects(tryWheel(join(fixture.folder, 'text.whl')), { name: 'ChecksumError', message: /not a zip archive/ })
    const other = await makeWheel(fixture, 'other-1.0.0-fake.whl', { a: 'b' })
    await assert.rejects(tryWheel(join(fixture.wheels, other.fileName)), { name: 'ChecksumError', message: /not the wheel that Herd knows/ })
    assert.equal(await tryWheel(fixture.wheels), 'native')
    await rm(nativeCache(fixture.environment).folder, { recursive: true })
    assert.equal(await tryWheel(join(fixture.wheels, release.wheels[0].fileName)), 'native')
    assert.equal(await fixture.pipCalls(), 0)
  })

  it("falls back to the package's own installer, and says why", async () => {
    await fixture.setPip('fails')
    const release = await makeRelease(fixture)
    const clone = await makePackage(fixture, 'first')
    const parts = countingParts({
      runOwnInstaller: async (folder) => {
        await mkdir(join(folder, 'lib/napi-v8'), { recursive: true })
        await writeFile(join(folder, ADDON_PATH), 'their addon')
      },
    })
    const reporter = recordingReporter()
    assert.equal(await setUp(requestFor(fixture, release, clone), reporter, parts), 'native')
    assert.match(reporter.warnings.join('\n'), /pip could not download tensorflow 2\.0\.0: ERROR: no such mirror/)
    assert.deepEqual(parts.calls, { compile: 0, verify: 1, ownInstaller: 1 })
    await setUp(requestFor(fixture, release, clone), reporter, parts)
    assert.match(reporter.notes.at(-1) ?? '', /from its own installer.*Nothing to do/)
  })

  it("runs nothing without a pinned checksum, unless it is asked to", async () => {
    await fixture.setPip('fails')
    const parts = countingParts()
    const reporter = recordingReporter()
    assert.equal(await setUp({ ...requestFor(fixture, await makeRelease(fixture), await makePackage(fixture, 'first')), ownInstaller: false }, reporter, parts), 'wasm')
    assert.equal(parts.calls.ownInstaller, 0)
    assert.match(reporter.warnings.at(-1) ?? '', /"--own-installer" takes an older TensorFlow, without a checksum/)
  })

  it('keeps an engine that was there without Herd when there is nothing better', async () => {
    await fixture.setPip('fails')
    const clone = await makePackage(fixture, 'first')
    await mkdir(join(clone, 'lib/napi-v8'), { recursive: true })
    await writeFile(join(clone, ADDON_PATH), 'their addon')
    const parts = countingParts()
    const reporter = recordingReporter()
    assert.equal(await setUp(requestFor(fixture, await makeRelease(fixture), clone), reporter, parts), 'native')
    assert.match(reporter.notes.at(-1) ?? '', /ready: TensorFlow 2\.0\.0 \(@tensorflow\/tfjs-node, as it was found\)/)
    assert.equal(await readFile(join(clone, ADDON_PATH), 'utf8'), 'their addon')
    assert.deepEqual(parts.calls, { compile: 0, verify: 1, ownInstaller: 0 })
  })

  it('counts an engine that does not compute as failed, and takes it out again', async () => {
    const clone = await makePackage(fixture, 'first')
    const parts = countingParts({ verify: () => Promise.reject(new RunError('it computed 3 instead of 4')) })
    const reporter = recordingReporter()
    const request = requestFor(fixture, await makeRelease(fixture), clone)
    assert.equal(await setUp(request, reporter, parts), 'wasm')
    assert.match(reporter.warnings[0], /it computed 3 instead of 4/)
    assert.deepEqual(await filesBelow(clone), ['package.json'])
    assert.ok(!existsSync(join(clone, 'deps')))
  })

  it('says which tools are missing before it downloads, remembers it for an hour, and tries again when they are there', async () => {
    await fixture.removeTool('g++')
    await fixture.removeTool('make')
    let now = 1_000_000
    const parts = countingParts({ now: () => now })
    const request = requestFor(fixture, await makeRelease(fixture), await makePackage(fixture, 'first'))
    const reporter = recordingReporter()
    assert.equal(await setUp(request, reporter, parts), 'wasm')
    assert.match(reporter.warnings[0], /make, g\+\+ not found .*apt-get install/)
    assert.match(reporter.warnings[1], /own installer: host not found/)
    assert.match(reporter.warnings[2], /wasm engine, which is many times slower/)

    assert.equal(await setUp(request, reporter, parts), 'wasm')
    assert.equal(parts.calls.ownInstaller, 1)
    assert.match(reporter.warnings[3], /make, g\+\+ not found.*herd setup --force/)
    now += 61 * 60_000
    await setUp(request, reporter, parts)
    assert.equal(parts.calls.ownInstaller, 2)
    await setUp({ ...request, force: true }, reporter, parts)
    assert.equal(parts.calls.ownInstaller, 3)
    assert.equal(await fixture.pipCalls(), 0)

    await fixture.addTool('g++')
    await fixture.addTool('make')
    assert.equal(await setUp(request, reporter, parts), 'native')
  })

  it('keeps a working engine when a forced renewal fails', async () => {
    const clone = await makePackage(fixture, 'first')
    const request = requestFor(fixture, await makeRelease(fixture), clone)
    await setUp(request, recordingReporter(), countingParts())
    const missing = { ...request, force: true, wheel: join(fixture.folder, 'nowhere.whl') }
    const entries = await filesBelow(nativeCache(fixture.environment).folder)
    const addon = entries.find((path) => path.startsWith('addon-')) ?? ''
    await rm(join(nativeCache(fixture.environment).folder, addon))
    await fixture.removeTool('g++')
    await assert.rejects(setUp(missing, recordingReporter(), countingParts()), /g\+\+ not found.*the engine that was in place is kept/)
    assert.equal(await readFile(join(clone, ADDON_PATH), 'utf8'), 'the addon')
    const reporter = recordingReporter()
    assert.equal(await setUp(request, reporter, countingParts()), 'native')
    assert.match(reporter.notes[0], /Nothing to do/)
  })

  it('refuses a wheel whose entries would leave the cache', async () => {
    const release = await makeRelease(fixture)
    const evil = await makeWheel(fixture, release.wheels[0].fileName, { ...TENSORFLOW_FILES, 'tensorflow/../../../../evil': 'x' })
    const reporter = recordingReporter()
    const request = requestFor(fixture, { ...release, wheels: [evil] }, await makePackage(fixture, 'first'))
    assert.equal(await setUp(request, reporter, countingParts()), 'wasm')
    assert.match(reporter.warnings[0], /would be written outside the folder/)
    const everything = await filesBelow(fixture.folder)
    assert.deepEqual(everything.filter((path) => path.includes('evil')), [])
  })

  it('links CUDA beside TensorFlow, and says when there is no GPU', async () => {
    const release = await makeRelease(fixture)
    const cuda = await makeWheel(fixture, 'nvidia-12.0-fake.whl', {
      'nvidia/cublas/lib/libcublas.so.12': 'cublas',
      'nvidia/cublas/lib/__init__.py': '',
      'nvidia/cuda_nvcc/bin/ptxas': 'ptxas',
    })
    const clone = await makePackage(fixture, 'first')
    const request = requestFor(fixture, { ...release, wheels: [...release.wheels, cuda] }, clone)
    const reporter = recordingReporter()
    assert.equal(await setUp({ ...request, variant: 'gpu' }, reporter, countingParts()), 'native')
    assert.equal(await readFile(join(clone, 'deps/lib/libcublas.so.12'), 'utf8'), 'cublas')
    assert.equal(await readFile(join(clone, 'deps/nvidia/cuda_nvcc/bin/ptxas'), 'utf8'), 'ptxas')
    assert.ok(!existsSync(join(clone, 'deps/nvidia/cublas')))
    assert.match(reporter.warnings[0], /No GPU was found here/)
  })

  it('says when the optional package is absent, or the platform has no pinned wheel', async () => {
    const reporter = recordingReporter()
    const clone = await makePackage(fixture, 'first')
    const request = requestFor(fixture, undefined, clone)
    assert.equal(await setUp({ ...request, packageFolder: undefined }, reporter, countingParts()), 'wasm')
    assert.match(reporter.warnings[0], /@tensorflow\/tfjs-node is not installed .*npm ci --include=optional/)
    const parts = countingParts({ runOwnInstaller: () => Promise.resolve() })
    assert.equal(await setUp(request, reporter, parts), 'native')
    assert.match(reporter.warnings[1], /no TensorFlow is pinned for/)
  })
})
