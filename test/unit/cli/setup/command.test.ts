import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { afterEach, describe, it } from 'node:test'
import { nativeCache } from '../../../../cli/setup/cache.ts'
import { setupCommand } from '../../../../cli/setup/command.ts'
import { findProgram, reasonIn, runProcess } from '../../../../cli/setup/process.ts'
import { pipTags, releaseFor } from '../../../../cli/setup/releases.ts'
import { createReporter } from '../../../../cli/setup/reporter.ts'

describe('setupCommand', () => {
  afterEach(() => {
    delete process.env['HERD_SETUP_GPU']
  })

  it('names every option and its variable', () => {
    const help = setupCommand().helpInformation()
    for (const option of ['gpu', 'wheel', 'force', 'require', 'quiet']) {
      assert.match(help, new RegExp(`--${option} `))
      assert.match(help, new RegExp(`HERD_SETUP_${option.toUpperCase()}`))
    }
  })

  it('refuses a value of a switch that is neither yes nor no', async () => {
    process.env['HERD_SETUP_GPU'] = 'maybe'
    await assert.rejects(setupCommand().parseAsync([], { from: 'user' }), { name: 'UsageError', message: /HERD_SETUP_GPU=maybe: expected 1/ })
  })

  it('refuses an empty path', async () => {
    await assert.rejects(setupCommand().parseAsync(['--wheel', ''], { from: 'user' }), { name: 'UsageError', message: /--wheel: expected/ })
  })
})

describe('releaseFor', () => {
  it('pins a complete checksum and file name for each wheel', () => {
    for (const [platform, variant] of [['linux-x64', 'cpu'], ['linux-arm64', 'cpu'], ['linux-x64', 'gpu']] as const) {
      const release = releaseFor(platform, variant)
      assert.ok(release !== undefined)
      for (const pin of release.wheels) {
        assert.match(pin.sha256, /^[0-9a-f]{64}$/)
        assert.ok(pin.fileName.startsWith(`${pin.project.replaceAll('-', '_')}-${pin.version}-`))
        assert.ok(pin.fileName.includes(release.machine))
      }
      assert.ok(pipTags(release).includes(`manylinux_2_17_${release.machine}`))
    }
    assert.equal(releaseFor('sunos-x64', 'cpu'), undefined)
  })
})

describe('nativeCache', () => {
  it('is where HERD_CACHE says, else below the user\'s own cache', () => {
    assert.equal(nativeCache({ HERD_CACHE: '/somewhere' }).folder, '/somewhere/native')
    assert.match(nativeCache({}).folder, /herd.*native$/)
  })
})

describe('runProcess', () => {
  it('tells exit code, output, lines, a missing program and a time limit', async () => {
    const lines: string[] = []
    const program = 'process.stdout.write("one\\ntw"); process.stdout.write("o\\n"); process.stderr.write("bad"); process.exitCode = 3'
    const result = await runProcess(process.execPath, ['-e', program], { environment: process.env, onLine: (line) => lines.push(line) })
    assert.equal(result.exitCode, 3)
    assert.equal(result.stdout, 'one\ntwo\n')
    assert.deepEqual(lines, ['one', 'two'])
    assert.match(result.tail, /bad/)
    const missing = await runProcess('no-such-program', [], { environment: process.env })
    assert.deepEqual(missing, { exitCode: 127, stdout: '', tail: 'no-such-program not found' })
    const late = await runProcess(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { environment: process.env, timeoutMilliseconds: 50 })
    assert.equal(late.exitCode, 1)
    assert.match(reasonIn(late.tail), /not done after 0\.05 s/)
  })

  it('finds programs on PATH only', () => {
    assert.equal(findProgram('sh', { PATH: '/nowhere:/bin' }), '/bin/sh')
    assert.equal(findProgram('sh', { PATH: '/nowhere' }), undefined)
    assert.equal(findProgram('sh', {}), undefined)
  })

  it('finds the reason in what a program said', () => {
    assert.equal(reasonIn('at work\nfatal error: x.h: No such file\nmake: *** [all] 1\n'), 'fatal error: x.h: No such file')
    assert.equal(reasonIn("throw er; // Unhandled 'error' event\n\nError: getaddrinfo ENOTFOUND host\n at x"), 'Error: getaddrinfo ENOTFOUND host')
    assert.equal(reasonIn('one\ntwo\n'), 'two')
    assert.equal(reasonIn(''), 'it said nothing')
  })
})

describe('createReporter', () => {
  const streams = (): { output: NodeJS.WriteStream; errors: NodeJS.WriteStream; read: () => string[] } => {
    const output = new PassThrough()
    const errors = new PassThrough()
    return {
      output: output as unknown as NodeJS.WriteStream,
      errors: errors as unknown as NodeJS.WriteStream,
      read: () => [output, errors].map((stream) => String(stream.read() ?? '')),
    }
  }

  it('writes plain lines where there is no terminal', () => {
    const { output, errors, read } = streams()
    const reporter = createReporter(output, errors, false)
    reporter.note('hello')
    const transfer = reporter.transfer('Downloading', 230e6)
    transfer.update(1e6)
    transfer.stop()
    reporter.warn('careful')
    assert.deepEqual(read(), ['hello\nDownloading (230 MB)\n', 'careful\n'])
  })

  it('says only what is wrong when quiet', () => {
    const { output, errors, read } = streams()
    const reporter = createReporter(output, errors, true)
    reporter.note('hello')
    reporter.transfer('Downloading', 1e6).stop()
    reporter.warn('careful')
    assert.deepEqual(read(), ['', 'careful\n'])
  })
})
