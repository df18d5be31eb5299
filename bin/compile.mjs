import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folders whose TypeScript is compiled; the JavaScript of each file is at the same place below dist/, for tests and benchmarks. */
const FOLDERS = ['coordinator', 'worker', 'reducer', 'live', 'shared', 'cli', 'test', 'benchmark', 'deploy']
/** Sources of kernels, in AssemblyScript, which are left out here: their compiled form is committed. */
const ELSEWHERE = /(^|\/)assembly\//
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = path.join(ROOT, 'dist')
/**
 * What a user starts, and the processes and threads that these start: each a module below dist/programs/, in one piece with everything it imports, since
 * hundreds of small files take longer to load than to run. Parts that several share, or that are imported when they are needed, are files of their own.
 */
const PROGRAMS = {
  coordinator: 'coordinator/main.ts', worker: 'worker/main.ts', reducer: 'reducer/main.ts', herd: 'cli/main.ts',
  compute: 'shared/compute/compute_main.ts', precision: 'shared/compute/precision_main.ts', layers: 'shared/compute/layer_times_main.ts', drawing: 'shared/pictures/drawing_thread_main.ts',
  program: 'shared/command/program.ts',
}
/** Packages that stay outside of the programs: native ones, and those that look for files beside them. */
const OUTSIDE = ['sharp', 'esbuild', 'echarts', 'dejavu-fonts-ttf', '@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu']
/** What CommonJS packages use, and a module of JavaScript does not have. */
const COMMON_JS = "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url), __dirname = import.meta.dirname;"
/** File with a hash of the sources of which dist/ was made. Written last, so that an interrupted compilation is done again. */
const STAMP = path.join(OUT, 'sources.sha256')

/**
 * Compiles all sources if any has changed since dist/ was made. Two processes that do so at the same time write the same files, each
 * file atomically. An installed package has no TypeScript to compile.
 */
export async function compileIfNewer() {
  if (!existsSync(path.join(ROOT, 'tsconfig.json'))) return
  const sources = sourceFiles()
  const stamp = stampOf(sources)
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return
  const { build } = await import('esbuild')
  const common = { absWorkingDir: ROOT, write: false, bundle: true, platform: 'node', target: 'node20.19', format: 'esm', sourcemap: 'linked', logLevel: 'error' }
  const built = await Promise.all([
    build({ ...common, entryPoints: sources.map(({ name }) => name), outdir: OUT, outbase: ROOT, packages: 'external', plugins: [{ name: 'one file each', setup: keepImports }] }),
    build({ ...common, entryPoints: PROGRAMS, outdir: path.join(OUT, 'programs'), splitting: true, external: OUTSIDE, banner: { js: COMMON_JS }, plugins: [{ name: 'English alone', setup: leaveLocalesOut }] }),
  ])
  const outputFiles = built.flatMap((each) => each.outputFiles)
  for (const { path: file, contents } of outputFiles) writeIfChanged(file, contents)
  removeOrphans(new Set(outputFiles.map(({ path: file }) => file)))
  writeIfChanged(STAMP, stamp)
}

/** Path of the JavaScript that a TypeScript file of the project is compiled to. */
export function compiledFile(source) {
  return path.join(OUT, path.relative(ROOT, source)).replace(/\.ts$/, '.js')
}

/** Keeps every file a file of its own: an import of TypeScript becomes one of its JavaScript, any other relative import one of the file beside the source. */
function keepImports({ onResolve }) {
  onResolve({ filter: /^\./ }, ({ path: specifier, importer, kind, resolveDir }) => {
    if (kind === 'entry-point') return undefined
    if (specifier.endsWith('.ts')) return { path: specifier.replace(/\.ts$/, '.js'), external: true }
    const compiled = path.join(OUT, path.relative(ROOT, path.dirname(importer)))
    return { path: path.relative(compiled, path.resolve(resolveDir, specifier)), external: true }
  })
}

/** Leaves out zod's messages in sixty languages, which are half of it and never used. */
function leaveLocalesOut({ onLoad }) {
  onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({ contents: "export { default as en } from './en.js'" }))
}

function sourceFiles() {
  return FOLDERS.filter((folder) => existsSync(path.join(ROOT, folder))).flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true })
      .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !ELSEWHERE.test(name))
      .sort()
      .map((name) => ({ name, ...statSync(path.join(ROOT, name)) })),
  )
}

function stampOf(sources) {
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)))
  for (const { name, size, mtimeMs } of sources) hash.update(`${name} ${size} ${mtimeMs}\n`)
  return hash.digest('hex')
}

/** Leaves a file with the same contents untouched; replaces any other atomically, so that no process reads half of it. */
function writeIfChanged(file, contents) {
  if (existsSync(file) && readFileSync(file).equals(Buffer.from(contents))) return
  mkdirSync(path.dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}`
  writeFileSync(temporary, contents)
  renameSync(temporary, file)
}

/** Removes JavaScript whose source is gone, since it could still be imported. */
function removeOrphans(files) {
  for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name)
    if (entry.isFile() && /\.js(\.map)?$/.test(file) && !files.has(file)) rmSync(file, { force: true })
  }
}
