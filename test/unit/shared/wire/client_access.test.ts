import assert from 'node:assert/strict'
import test from 'node:test'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { accessOptions, readAccess } from '../../../../shared/wire/client_access.ts'

type Options = Parameters<typeof readAccess>[0]
const defaults = Object.fromEntries(Object.entries(accessOptions).map(([key, { fallback }]) => [key, fallback])) as Options

test('what is named and not there, or lacks beside it, is told by its option', async () => {
  const wrong: [options: Partial<Options>, message: RegExp][] = [
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
