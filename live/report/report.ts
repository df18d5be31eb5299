import { html } from './html.ts'
import { pageOf } from './page.ts'
import type { Reported } from './reported.ts'
import { clusterSection, curvesSection, digestSection, headSection, quotedPath, recipeSection, timeSection } from './run_sections.ts'
import { testSections, type Draw } from './test_sections.ts'

/**
 * Builds the report of a run: one page that needs no other file and no script.
 * @param draw draws a picture as SVG
 * @param writtenAt the present time
 */
export async function reportPage(reported: Reported, draw: Draw, writtenAt: Date): Promise<string> {
  const { name, folder } = reported.view.facts
  const command = html`<code>npx herd report ${quotedPath(folder)}</code>`
  return pageOf(
    `${name} · report · Herd`,
    headSection(reported, writtenAt),
    await curvesSection(reported, draw),
    await testSections(reported, command, draw),
    timeSection(reported),
    recipeSection(reported),
    clusterSection(reported),
    digestSection(reported),
  )
}
