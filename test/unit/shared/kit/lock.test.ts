import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { withLock } from '../../../../shared/kit/lock.ts'

const TIMING = { refreshMilliseconds: 5, staleMilliseconds: 60_000, pollMilliseconds: 1, takeoverMilliseconds: 1 }

describe('withLock', () => {
  let folder: string
  let lock: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'herd-lock-'))
    lock = join(folder, 'deep', 'lock')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('lets one at a time work, tells the others once whom they wait for, and leaves nothing', async () => {
    let inside = 0
    let waits = 0
    const work = async (): Promise<void> => {
      inside += 1
      assert.equal(inside, 1)
      await sleep(10)
      inside -= 1
    }
    const waited = (holder: string): void => {
      waits += 1
      assert.equal(holder, `process ${process.pid} on ${hostname()}`)
    }
    await Promise.all(Array.from({ length: 5 }, () => withLock(lock, waited, work, TIMING)))
    assert.equal(waits, 4)
    assert.deepEqual(await readdir(join(folder, 'deep')), [])
  })

  it('is free again when the work throws', async () => {
    await assert.rejects(
      withLock(lock, assert.fail, () => Promise.reject(new Error('broken')), TIMING),
      /broken/,
    )
    assert.equal(await withLock(lock, assert.fail, async () => 'done', TIMING), 'done')
  })

  it('takes over from a dead process of this machine, by several at once', async () => {
    await withLock(lock, assert.fail, async () => undefined, TIMING)
    await writeFile(lock, `999999999 ${hostname()} gone`)
    let inside = 0
    const results = await Promise.all(
      Array.from({ length: 4 }, (_, index) =>
        withLock(
          lock,
          () => undefined,
          async () => {
            inside += 1
            assert.equal(inside, 1)
            await sleep(5)
            inside -= 1
            return index
          },
          TIMING,
        ),
      ),
    )
    assert.deepEqual(results, [0, 1, 2, 3])
  })

  it('takes over from another machine only when its lock was not touched for long', async () => {
    await withLock(lock, assert.fail, async () => undefined, TIMING)
    await writeFile(lock, '1 elsewhere alive')
    let waited = false
    const result = withLock(
      lock,
      (holder) => {
        waited = true
        assert.equal(holder, 'process 1 on elsewhere')
        const past = new Date(Date.now() - 120_000)
        void utimes(lock, past, past)
      },
      async () => 'taken',
      TIMING,
    )
    assert.equal(await result, 'taken')
    assert.ok(waited)
  })
})
