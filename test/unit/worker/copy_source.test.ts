import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataError } from '../../../shared/kit/errors.ts'
import { CopySource } from '../../../worker/copy_source.ts'

/** A source of the samples below a limit, which notes what it is asked for. */
function sourceOf(name: string, has: (sample: number) => boolean): { asked: number[]; read: (samples: readonly number[]) => Promise<Buffer[]> } {
  const asked: number[] = []
  return {
    asked,
    read: (samples) => Promise.all(samples.map((sample) => {
      asked.push(sample)
      return has(sample) ? Promise.resolve(Buffer.from(`${name} ${sample}`)) : Promise.reject(new DataError(`${sample} is gone.`))
    })),
  }
}

test('what the copy lacks comes from the coordinator, is told once, and is not looked for in the copy again', async () => {
  const [copy, coordinator] = [sourceOf('copy', (sample) => sample < 2), sourceOf('coordinator', () => true)]
  const warnings: unknown[] = []
  const source = new CopySource(copy, coordinator, { warn: (message: unknown) => warnings.push(message) })
  assert.deepEqual((await source.read([3, 0, 2, 1])).map(String), ['coordinator 3', 'copy 0', 'coordinator 2', 'copy 1'])
  assert.deepEqual((await source.read([3])).map(String), ['coordinator 3'])
  assert.deepEqual(copy.asked, [3, 0, 2, 1])
  assert.deepEqual(warnings, ['3 is gone. The image comes from the coordinator instead, as every other does that this copy lacks; this is said once.'])
})

test('what neither has, and what is no matter of data, is an error', async () => {
  const nothing = sourceOf('', () => false)
  await assert.rejects(new CopySource(nothing, nothing, { warn: () => undefined }).read([1]), new DataError('1 is gone.'))
  const broken = { read: () => Promise.reject(new TypeError('a defect')) }
  await assert.rejects(new CopySource(broken, sourceOf('', () => true), { warn: () => undefined }).read([1]), TypeError)
})
