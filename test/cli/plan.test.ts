import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import sharp from 'sharp'
import { z } from 'zod'
import { SHIPPED_MEASURED } from '../../cli/plan/costs.ts'
import { run } from '../support/processes.ts'
import { createWorkspace, type Workspace } from '../support/workspace.ts'

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

const planSchema = z.object({
  cluster: z.object({ workers: z.number(), floats: z.number(), network: z.object({ worker: z.number(), coordinator: z.number(), latency: z.number() }), shrink: z.object({ up: z.number() }) }),
  prediction: z.object({ step: z.number().positive(), compute: z.number(), imagesPerSecond: z.number(), efficiency: z.number().positive().max(1.0001), longestStage: z.string() }),
  enough: z.int().min(1),
  advice: z.array(z.object({ what: z.string(), gain: z.number() })),
})

async function plan(...args: string[]): Promise<z.infer<typeof planSchema>> {
  const ended = await run('herd', ['plan', '--json', ...args])
  assert.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
  return planSchema.parse(JSON.parse(ended.stdout))
}

test('herd plan tells the speed of a cluster, its limit and what would be better', async () => {
  const ended = await run('herd', ['plan', '--workers', '64', '--network', '25Gbit'])
  assert.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: '' })
  assert.match(ended.stdout, /^64 workers, batch 64 in 8 lanes: \S+ steps\/s, \S+ images\/s, \S+ % of 64 times one worker\n/)
  for (const part of ['compute', 'input', 'exchange', 'latency', 'a step']) assert.match(ended.stdout, new RegExp(`^${part} +\\S+ ms +\\S+ %$`, 'm'))
  assert.match(ended.stdout, /^limit: .*; the busiest worker has 1 lane of 8$/m)
  assert.match(ended.stdout, /^workers: 56 of 64 have nothing to do, since there are 8 lanes; more than \d are less than 5 % faster$/m)
})

test('its options reach the model', async () => {
  const [fast, slow, gpu] = await Promise.all([
    plan('--workers', '8', '--network', '25Gbit'),
    plan('--workers', '8', '--network', '100Mbit', '--coordinator-network', '1GB', '--latency', '2ms', '--compress', 'bf16'),
    plan('--workers', '8', '--network', '25Gbit', '--images-per-second', '1000'),
  ])
  assert.equal(fast.cluster.floats, 2_230_170)
  assert.deepEqual(slow.cluster.network, { worker: 1.25e7, coordinator: 1e9, latency: 0.002 })
  assert.equal(slow.cluster.shrink.up, 0.5)
  assert.ok(slow.prediction.step > fast.prediction.step)
  assert.ok(gpu.prediction.compute < fast.prediction.compute)
})

test('curves are drawn as SVG and as PNG', async () => {
  const [svg, png] = [workspace.path('plan.svg'), workspace.path('plan.png')]
  const [one, two] = await Promise.all([svg, png].map((file) => run('herd', ['plan', '--workers', '16', '--lanes', '16', '--plot', file])))
  assert.deepEqual([one.code, two.code], [0, 0], one.stderr + two.stderr)
  const drawn = await readFile(svg, 'utf8')
  for (const text of ['Predicted speed', 'images/s', 'efficiency', 'workers', 'batch 64 in 16 lanes']) assert.ok(drawn.includes(text), text)
  assert.equal((await sharp(await readFile(png)).metadata()).format, 'png')
})

test('costs of another machine are read from a file, and what is wrong is said', async () => {
  const [good, bad] = [workspace.path('good.json'), workspace.path('bad.json')]
  const shipped = JSON.parse(await readFile(SHIPPED_MEASURED, 'utf8')) as { costs: { compute: { image: number } } }
  const usual = await plan('--workers', '1')
  await writeFile(good, JSON.stringify({ ...shipped, costs: { ...shipped.costs, compute: { ...shipped.costs.compute, image: 2 * shipped.costs.compute.image } } }))
  const slower = await plan('--workers', '1', '--measured', good)
  assert.ok(Math.abs(slower.prediction.compute - usual.prediction.compute - 64 * shipped.costs.compute.image) < 1e-6)
  await writeFile(bad, '{"costs": {}}')
  const wrong: [args: string[], message: RegExp][] = [
    [['--network', '25'], /^error: --network 25: expected a bandwidth in bits or bytes a second, above 0, e\.g\. 25Gbit/],
    [['--latency', '5'], /^error: --latency 5: expected a time with its unit, e\.g\. 0\.1ms/],
    [['--workers', '0'], /^error: --workers 0: expected a whole number from 1 to 4096/],
    [['--lanes', '65'], /^error: --lanes 65: expected at most as many as images in a batch, 64/],
    [['--image-size', '100'], /^error: --image-size 100 is too small/],
    [['--plot', 'plan.jpg'], /^error: --plot plan\.jpg: expected a file name that ends in \.svg or \.png/],
    [['--measured', bad], /^error: --measured .*bad\.json: \S+: .*; expected what `npm run bench -- --plan FILE` writes/],
    [['--measured', workspace.path('none.json')], /^error: --measured .*none\.json cannot be read as JSON/],
  ]
  await Promise.all(wrong.map(async ([args, message]) => {
    const ended = await run('herd', ['plan', ...args])
    assert.deepEqual({ code: ended.code, stdout: ended.stdout }, { code: 2, stdout: '' })
    assert.match(ended.stderr, message)
  }))
})
