import { mkdirSync, mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import envPaths from 'env-paths'
import writeFileAtomic from 'write-file-atomic'
import { escapeXml } from './text.ts'

/** The family that every picture names first, so that text looks and measures the same on every machine. */
export const FONT_FAMILY = 'DejaVu Sans'
/** For SVG files, which a browser shows with its own fonts. */
export const FONT_STACK = `${FONT_FAMILY}, Verdana, sans-serif`

let ready = false

/**
 * Makes the fonts of the npm package dejavu-fonts-ttf known to fontconfig, through which sharp draws text: a bare
 * container has no fonts at all. The machine's own fonts stay known, for class names in scripts that DejaVu lacks.
 * fontconfig reads its configuration once, so this must come before the process's first text.
 */
export function useBundledFonts(): void {
  if (ready) return
  const fonts = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf')
  const folder = writableFolder()
  const file = join(folder, 'fonts.conf')
  writeFileAtomic.sync(file, configuration(fonts, join(folder, 'cache'), process.env.FONTCONFIG_FILE ?? '/etc/fonts/fonts.conf'))
  process.env.FONTCONFIG_FILE = file
  ready = true
}

/** The user's cache folder, or, where the home cannot be written, a temporary one. */
function writableFolder(): string {
  const cache = join(envPaths('herd', { suffix: '' }).cache, 'fonts')
  try {
    mkdirSync(cache, { recursive: true })
    return cache
  } catch {
    return mkdtempSync(join(tmpdir(), 'herd-fonts-'))
  }
}

/** The format of https://www.freedesktop.org/software/fontconfig/fontconfig-user.html. */
function configuration(fonts: string, cache: string, system: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">${escapeXml(system)}</include>
  <dir>${escapeXml(fonts)}</dir>
  <cachedir>${escapeXml(cache)}</cachedir>
  <alias binding="strong"><family>sans-serif</family><prefer><family>${FONT_FAMILY}</family></prefer></alias>
</fontconfig>
`
}
