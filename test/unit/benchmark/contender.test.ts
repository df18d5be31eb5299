import assert from 'node:assert/strict'
import test from 'node:test'
import { alternate, type Contender } from '../../../benchmark/bench/contender.ts'

const silent = (): void => undefined

function teller(name: string, said: string[], round: () => Promise<number> = () => Promise.resolve(said.length)): () => Promise<Contender> {
  return () => {
    said.push(`${name} starts`)
    return Promise.resolve({ name, round: () => (said.push(name), round()), close: () => Promise.resolve(void said.push(`${name} ends`)) })
  }
}

test('contenders take turns, and who begins changes', async () => {
  const said: string[] = []
  const values = await alternate([teller('a', said), teller('b', said)], 3, silent)
  assert.deepEqual(said, ['a starts', 'b starts', 'a', 'b', 'b', 'a', 'a', 'b', 'a ends', 'b ends'])
  assert.deepEqual([...values], [['a', [3, 6, 7]], ['b', [4, 5, 8]]])
})

test('when one fails in its turn, or does not start, all that were started are closed', async () => {
  const said: string[] = []
  await assert.rejects(alternate([teller('a', said), teller('b', said, () => Promise.reject(new Error('it broke')))], 2, silent), /it broke/)
  assert.deepEqual(said.slice(-2), ['a ends', 'b ends'])
  const again: string[] = []
  await assert.rejects(alternate([teller('a', again), () => Promise.reject(new Error('no such file'))], 2, silent), /no such file/)
  assert.deepEqual(again, ['a starts', 'a ends'])
})
