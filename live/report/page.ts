import { REPORT_POLICY } from '../report_policy.ts'
import { html, type Content, type Html } from './html.ts'
import { STYLE } from './style.ts'

/** Builds a whole page, which needs no other file. */
export function pageOf(title: string, ...content: readonly Content[]): string {
  const page: Html = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${REPORT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${content}
</main>
</body>
</html>
`
  return page.text
}
