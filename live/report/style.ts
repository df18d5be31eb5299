import { Html } from './html.ts'

/** Style of reports: the colours of the live page. Drawings are made for white paper; in the dark, light and dark change places, and hues stay. */
export const STYLE = new Html(`
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --surface: #ffffff; --ink: #171c22; --muted: #55606c; --line: #dfe3e8;
  --good: #0a6b4c; --bad: #ab2318; --warn: #8d4700; --warn-soft: #fdf0df;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0e1114; --surface: #161a1f; --ink: #e8ebee; --muted: #a3adb7; --line: #2a3138;
    --good: #5fd0a5; --bad: #ff9489; --warn: #f4b066; --warn-soft: #35260f;
  }
  .plot svg { filter: invert(1) hue-rotate(180deg); mix-blend-mode: screen; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 26px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 10px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 6px 0; }
a { color: inherit; }
code { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 13px; overflow-wrap: anywhere; }
pre { margin: 8px 0; padding: 10px 12px; border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap; }
.note, figcaption { color: var(--muted); font-size: 14px; }
.missing { background: var(--warn-soft); color: var(--warn); padding: 8px 12px; border-radius: 6px; }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin-top: 18px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 18px 0 0; }
.figures div { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
.figures dt { color: var(--muted); font-size: 13px; }
.figures dd { margin: 0; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures small { display: block; font-size: 13px; font-weight: 400; color: var(--muted); }
.plots { display: grid; gap: 12px; }
.pairs { grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); }
.plot { margin: 0; overflow-x: auto; }
.plot svg { display: block; max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; }
thead th { color: var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
th code { overflow-wrap: normal; }
.number { text-align: right; white-space: nowrap; }
dl { margin: 0; }
section dl div { display: grid; grid-template-columns: minmax(140px, 220px) 1fr; gap: 12px; padding: 3px 0; }
section dt { color: var(--muted); }
section dd { margin: 0; overflow-wrap: anywhere; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 14px; list-style: none; padding: 0; margin: 12px 0 0; }
.images img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; border: 3px solid transparent; }
.images .right img { border-color: var(--good); }
.images .wrong img { border-color: var(--bad); }
.images p { margin: 3px 0 0; overflow-wrap: anywhere; line-height: 1.35; }
.right b { color: var(--good); }
.wrong b { color: var(--bad); }
.path { font-size: 12px; color: var(--muted); }
details summary { cursor: pointer; color: var(--muted); margin: 8px 0; }
@media print {
  body { background: #fff; font-size: 12px; }
  main { max-width: none; padding: 0; }
  section { border: 0; padding: 8px 0; }
  figure, .images li, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
`)
