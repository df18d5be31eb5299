import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { deployFolder } from './dashboard.ts'
import { filledRegistries } from './registries.ts'
import { needs, promtool, requireTool } from './tools.ts'

test('promtool finds no fault in prometheus.yml', needs('promtool'), async () => {
  requireTool('promtool')
  const { code, output } = await promtool(['check', 'config', path.join(deployFolder, 'prometheus/prometheus.yml')])
  assert.equal(code, 0, output)
})

for (const daemon of ['coordinator', 'worker'] as const) {
  test(`promtool finds no fault in the names and types of the ${daemon}'s metrics`, needs('promtool'), async () => {
    requireTool('promtool')
    const metrics = await filledRegistries()[daemon].metrics()
    // Nothing at all would be found faultless too.
    assert.match(metrics, daemon === 'coordinator' ? /^herd_loss\{phase="test"\} 2\.1$/m : /^herd_worker_images_total 4$/m)
    const { code, output } = await promtool(['check', 'metrics'], metrics)
    assert.equal(code, 0, output)
    assert.equal(output, '')
  })
}
