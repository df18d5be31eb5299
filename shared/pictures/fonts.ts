import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { temporaryBeside } from '../kit/atomic_file.ts'
import { cacheFolder } from '../kit/paths.ts'
import { escapeXml } from './text.ts'

/** Font family that every picture names first, so that text looks and measures the same on every machine. */
export const FONT_FAMILY = 'DejaVu Sans'
/** Font families of SVG files, which a browser shows with its own fonts. */
export const FONT_STACK = `${FONT_FAMILY}, Verdana, sans-serif`

const CONFIGURATION_FILE = 'herd-fonts.conf'
let ready = false

/**
 * Makes the fonts of the npm package dejavu-fonts-ttf known to fontconfig, through which sharp draws text: a bare container has no fonts at all.
 * The machine's own fonts stay known, for class names in scripts that DejaVu lacks. It must be called before the process draws its first text,
 * because fontconfig reads its configuration once.
 */
export function useBundledFonts(): void {
  if (ready) return
  const given = process.env.FONTCONFIG_FILE
  // A parent process of Herd has already set the variable: the configuration file must not include itself.
  if (given === undefined || basename(given) !== CONFIGURATION_FILE) process.env.FONTCONFIG_FILE = writeConfiguration(given ?? '/etc/fonts/fonts.conf')
  ready = true
}

/**
 * Writes fontconfig's configuration into the user's cache folder or, if that cannot be written, into a temporary one.
 * @param system path of the machine's own configuration, which the file includes
 * @returns the file's path
 */
function writeConfiguration(system: string): string {
  try {
    return writeInto(join(cacheFolder(), 'fonts'), system)
  } catch {
    return writeInto(mkdtempSync(join(tmpdir(), 'herd-fonts-')), system)
  }
}

function writeInto(folder: string, system: string): string {
  const fonts = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, CONFIGURATION_FILE)
  // The file is replaced atomically, since other processes of the user may be reading it.
  const temporary = temporaryBeside(file)
  try {
    writeFileSync(temporary, configuration(fonts, join(folder, 'cache'), system))
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
  return file
}

/** Builds the configuration, in the format of https://www.freedesktop.org/software/fontconfig/fontconfig-user.html. */
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
