import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../support/processes.ts'
import { ROOT } from '../../shared/kit/project.ts'

describe('herd', { concurrency: 2 }, () => {
  const helps: [command: string[], says: RegExp[]][] = [
    [[], [/setup/, /data/, /predict/, /evaluate/, /export/, /HERD_/]],
    [['predict'], [/--top <count>[^-]*default: 1/, /--checkpoint <file>/, /HERD_CHECKPOINT/, /--config <file>/]],
    [['evaluate'], [/--split <test\|train\|all>[^-]*default:\s+"test"/, /HERD_DATA/]],
    [['export'], [/--format <safetensors\|onnx\|tfjs\|savedmodel\|web>/, /HERD_FORMAT/]],
    [['top'], [/--coordinator <host:port>[^-]*default:\s+"127\.0\.0\.1:7070"/, /--token-file <file>/, /--interval <seconds>[^-]*default: 1/, /--log-format <pretty\|json>/]],
    [['certs'], [/--host <names>/, /--days <count>[^-]*default:\s+365/, /HERD_HOST/]],
    [['plan'], [/--network <bandwidth>[\s\S]*default:\s+"10Gbit"/, /--reducers <count>/, /HERD_NETWORK/]],
    [['verify'], [/--steps <A\.\.B>/, /--share <share>/, /--signed-by <file>/, /HERD_SIGNED_BY/]],
    [['model'], [/herd model article/, /--lane <images>[\s\S]*default: 8/, /HERD_IMAGE_SIZE/]],
    [['diff'], [/herd diff runs\/first runs\/second/]],
    [['report'], [/--as-is/, /--data <folder>/, /HERD_OUT/]],
    [['compare'], [/--out <file>[\s\S]*compare\.html/, /--json/]],
    [['sweep'], [/herd sweep lr\.json/, /--out <folder>[\s\S]*runs\/<name of the file>/, /--json/]],
    [['show'], [/--http-port <port>[^-]*default:\s+8080/, /HERD_HTTP_HOST/]],
    [['data', 'check'], [/--test-fraction <share>[\s\S]*default: 0\.2/]],
    [['data', 'draw'], [/--per-class <images>[\s\S]*default: 200/, /--seed <number>[\s\S]*default: 0/]],
  ]

  it('explains every command with options, defaults, variables and examples', async () => {
    await Promise.all(
      helps.map(async ([command, says]) => {
        const { code, stdout, stderr } = await run('herd', [...command, '--help'])
        assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
        for (const pattern of [/^Usage: herd/, /Examples:\n {2}(herd|HERD)/, ...says]) assert.match(stdout, pattern)
      }),
    )
  })

  it('prints its version', async () => {
    const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as { version: string }
    assert.deepEqual(await run('herd', ['--version']), { code: 0, signal: null, stdout: `${version}\n`, stderr: '' })
  })

  const wrong: [args: string[], says: RegExp][] = [
    [[], /Usage: herd/],
    [['guess'], /error: unknown command 'guess'/],
    [['predict', '--tpo', '3', 'x.jpg'], /error: unknown option '--tpo'\n\(Did you mean --top\?\)/],
    [['data', 'check', 'one', 'two'], /error: too many arguments/],
    [['data', 'check', 'one', '--config', 'no-such-file.json'], /error: --config no-such-file\.json cannot be read as JSON/],
  ]
  it('exits with 2 where the command line is wrong', async () => {
    await Promise.all(
      wrong.map(async ([args, says]) => {
        const { code, stdout, stderr } = await run('herd', args)
        assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
        assert.match(stderr, says)
      }),
    )
  })
})
