import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { build, type BuildOptions } from 'esbuild'
import { ROOT } from '../shared/kit/project.ts'

/** Content security policy of the page: nothing from other hosts, no code from text. Test images come as data:, the dropped photograph as blob:. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface PageFile {
  /** Value of the header content-type. */
  type: string
  body: Buffer
}

const FOLDER = path.join(ROOT, 'live/page')

const OPTIONS = {
  // The alias is resolved from this folder; otherwise it would be from wherever the program is started.
  absWorkingDir: FOLDER,
  bundle: true,
  write: false,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
  // The usual module compiles readers with `new Function`, which PAGE_POLICY forbids.
  alias: { 'msgpackr/unpack': 'msgpackr/unpack-no-eval' },
  legalComments: 'eof',
  logLevel: 'silent',
} satisfies BuildOptions

/** The live page's files by their paths, bundled in memory: no build step is needed, and the page asks no other host for anything. */
export function livePage(): Promise<Map<string, PageFile>> {
  return pageFiles('index.html', 'main.ts')
}

/** The files of the page that classifies photographs (`herd serve`), likewise. */
export function classifyingPage(): Promise<Map<string, PageFile>> {
  return pageFiles('classify.html', 'classify.ts')
}

async function pageFiles(page: string, program: string): Promise<Map<string, PageFile>> {
  const [html, script, style, icon] = await Promise.all([readFile(path.join(FOLDER, page)), bundled(program), bundled('page.css'), readFile(path.join(FOLDER, 'icon.svg'))])
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: html }],
    ['/page.js', { type: 'text/javascript; charset=utf-8', body: script }],
    ['/page.css', { type: 'text/css; charset=utf-8', body: style }],
    ['/icon.svg', { type: 'image/svg+xml', body: icon }],
  ])
}

async function bundled(entry: string): Promise<Buffer> {
  const { outputFiles } = await build({ ...OPTIONS, entryPoints: [path.join(FOLDER, entry)] })
  return Buffer.from(outputFiles[0].contents)
}
