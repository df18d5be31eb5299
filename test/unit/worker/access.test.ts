import assert from 'node:assert/strict'
import test from 'node:test'
import { UsageError } from '../../../shared/errors.ts'
import { readAccess } from '../../../worker/access.ts'
import { workerOptions, type WorkerOptions } from '../../../worker/options.ts'

const defaults = Object.fromEntries(Object.entries(workerOptions).map(([key, { fallback }]) => [key, fallback])) as WorkerOptions

test('what a worker names and does not have, or lacks beside it, is told by its option', async () => {
  const wrong: [options: Partial<WorkerOptions>, message: RegExp][] = [
    [{ tlsCa: '/nowhere/absent.crt' }, /^--tls-ca \/nowhere\/absent\.crt cannot be read/],
    [{ tlsCert: 'worker.crt', tlsKey: 'worker.key' }, /^--tls-cert worker\.crt needs --tls-ca/],
    [{ tlsCa: 'ca.crt', tlsCert: 'worker.crt' }, /^--tls-cert worker\.crt needs --tls-key/],
    [{ tokenFile: '/nowhere/absent' }, /^--token-file \/nowhere\/absent cannot be read/],
  ]
  for (const [options, message] of wrong) {
    await assert.rejects(readAccess({ ...defaults, ...options }, {}, new Date()), (error: unknown) => {
      assert.ok(error instanceof UsageError)
      assert.match(error.message, message)
      return true
    })
  }
})
