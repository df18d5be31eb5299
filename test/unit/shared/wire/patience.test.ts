import assert from 'node:assert/strict'
import test from 'node:test'
import { RunError } from '../../../../shared/kit/errors.ts'
import { joinWithPatience, NoMembershipError } from '../../../../shared/wire/patience.ts'

const said: string[] = []
const log = { info: (line: string): void => void said.push(line) }

test('joining is tried again while no membership comes about, and said once', async () => {
  said.length = 0
  let attempts = 0
  const joined = await joinWithPatience(async () => {
    if (++attempts < 3) throw new NoMembershipError('nobody is there')
    return 'in'
  }, { coordinator: 'here:1', patienceMs: 60_000, log })
  assert.deepEqual([joined, attempts, said], ['in', 3, ['waiting for the coordinator at here:1: nobody is there.']])
})

test('without patience it is tried once, and the error names the coordinator and the reason', async () => {
  said.length = 0
  let attempts = 0
  const join = async (): Promise<never> => {
    attempts++
    throw new NoMembershipError('nobody is there')
  }
  await assert.rejects(joinWithPatience(join, { coordinator: 'here:1', patienceMs: 0, log }), (error) => error instanceof RunError && /^--coordinator here:1: nobody is there \(tried for 0 s\)/.test(error.message))
  assert.deepEqual([attempts, said], [1, []])
})

test('any other error ends it at once', async () => {
  const failure = new RunError('refused')
  let attempts = 0
  await assert.rejects(joinWithPatience(() => {
    attempts++
    return Promise.reject(failure)
  }, { coordinator: 'here:1', patienceMs: 60_000, log }), failure)
  assert.equal(attempts, 1)
})
