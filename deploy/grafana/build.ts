import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { clusterDashboard } from './cluster.ts'
import { trainingDashboard } from './training.ts'
import { ROOT } from '../../shared/kit/project.ts'

/** The dashboards by file, as they lie in deploy/grafana/dashboards; `npm run build:dashboards` writes them. */
export function dashboards(): Map<string, string> {
  return new Map([['herd-training.json', trainingDashboard()], ['herd-cluster.json', clusterDashboard()]].map(([name, dashboard]) => [name as string, `${JSON.stringify(dashboard, undefined, 2)}\n`]))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [name, json] of dashboards()) await writeFile(path.join(ROOT, 'deploy/grafana/dashboards', name), json)
}
