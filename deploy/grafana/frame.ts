import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import { DATA_SOURCE } from './panels.ts'

/** Events that are drawn into the curves. */
interface Marks {
  name: string
  colour: string
  kinds: string[]
}

const marks: Marks[] = [
  { name: 'Workers lost, waits', colour: 'red', kinds: ['workerLost', 'waiting', 'dealtAgain'] },
  { name: 'Workers joined or left', colour: 'green', kinds: ['workerJoined', 'workerLeft', 'goingOn'] },
  { name: 'Resumed', colour: 'purple', kinds: ['resumed'] },
  { name: 'Trouble', colour: 'orange', kinds: ['checkpointFailed', 'writeFailed', 'gradientNotFinite', 'lossNotFinite', 'fingerprintsDiffer'] },
  { name: 'Checkpoints', colour: 'blue', kinds: ['checkpoint'] },
]

/** The frame that both dashboards have: data source, run and worker to choose from, and what happened as annotations. */
export function frame({ title, uid, description, other }: { title: string; uid: string; description: string; other: { title: string; uid: string } }): dashboard.DashboardBuilder {
  const builder = new dashboard.DashboardBuilder(title)
    .id(null)
    .uid(uid)
    .description(description)
    .tags(['herd'])
    .timezone('browser')
    .editable()
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .refresh('5s')
    .time({ from: 'now-30m', to: 'now' })
    .version(1)
    .link(new dashboard.DashboardLinkBuilder(other.title).type(dashboard.DashboardLinkType.Link).url(`/d/${other.uid}`).keepTime(true).includeVars(true).asDropdown(false).targetBlank(false).icon('dashboard').tooltip('').tags([]))
    .withVariable(new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(choice('run', 'Run', 'label_values(herd_run_info, run)', 'Choose one where Prometheus watches several runs.'))
    .withVariable(choice('worker', 'Worker', 'label_values(herd_member_lanes_total{run=~"$run"}, worker)', 'Workers that are in, or were in the time that is shown.'))
  for (const { name, colour, kinds } of marks) builder.annotation(annotation(name, colour, kinds))
  return builder
}

function choice(name: string, label: string, query: string, description: string): dashboard.QueryVariableBuilder {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(DATA_SOURCE)
    .query({ qryType: 1, query, refId: 'PrometheusVariableQueryEditor-VariableQuery' })
    .definition(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: ['All'], value: ['$__all'] })
}

/**
 * One mark where a counter has grown since the last point of the curves. A series that was not there yet has grown by all
 * that it counts: what a coordinator does first, such as to resume, is counted before Prometheus ever sees it.
 */
function annotation(name: string, colour: string, kinds: readonly string[]): dashboard.AnnotationQueryBuilder {
  const counted = `herd_events_total{run=~"$run",kind=~"${kinds.join('|')}"}`
  return new dashboard.AnnotationQueryBuilder()
    .name(name)
    .datasource(DATA_SOURCE)
    .enable(name !== 'Checkpoints')
    .iconColor(colour)
    .expr(`((${counted} unless ${counted} offset $__rate_interval) or increase(${counted}[$__rate_interval])) > 0`)
    .step('15s')
    .titleFormat('{{kind}}')
    .textFormat('{{run}}')
}
