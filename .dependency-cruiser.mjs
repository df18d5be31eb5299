/**
 * Who may import whom (`npm run lint`). The rooms of shared/ are layers: each imports those before it in this list, and none after.
 * docs/how-it-works.md says what each room is.
 */
const layers = [
  'kit', 'random', 'kernels', 'vectors', 'trace', 'security', 'command', 'http', 'tensorboard', 'model', 'compress', 'optim', 'engine',
  'lanes', 'data', 'recipe', 'audit', 'evaluation', 'compute', 'wire', 'checkpoint', 'pictures', 'run_folder',
]

/** Folders at the top, and those beside shared/ that they import; `reducer` and `cli` are held to a part of that below. */
const programs = { coordinator: ['live'], reducer: ['coordinator'], worker: [], live: [], cli: ['coordinator', 'live'] }

const top = [...Object.keys(programs), 'shared', 'deploy', 'test', 'benchmark']

/** What rooms of a folder share stands in rooms; its own files are above them. */
const roomsImportNoFileOf = (folder, except = []) => ({
  name: `rooms-of-${folder.replaceAll('/', '-')}-are-below-its-files`,
  severity: 'error',
  from: { path: `^${folder}/[^/]+/` },
  to: { path: `^${folder}/[^/]+$`, ...(except.length === 0 ? {} : { pathNot: `^${folder}/(${except.join('|')})$` }) },
})

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-circle-of-files', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-circle-of-rooms', severity: 'error', scope: 'folder', from: {}, to: { circular: true } },
    {
      name: 'each-room-of-shared-is-a-layer',
      comment: 'A new room of shared/ takes a place in the list of layers.',
      severity: 'error',
      from: { path: '^shared/', pathNot: `^shared/(${layers.join('|')})/` },
      to: {},
    },
    ...layers.map((layer, index) => ({
      name: `layer-${layer}`,
      severity: 'error',
      from: { path: `^shared/${layer}/` },
      to: { path: '^shared/', pathNot: `^shared/(${layers.slice(0, index + 1).join('|')})/` },
    })),
    { name: 'shared-imports-no-other-folder', severity: 'error', from: { path: '^shared/' }, to: { path: `^(${top.filter((folder) => folder !== 'shared').join('|')})/` } },
    ...Object.entries(programs).map(([folder, others]) => ({
      name: `${folder}-imports-downward`,
      severity: 'error',
      from: { path: `^${folder}/` },
      to: { path: `^(${top.filter((other) => ![folder, 'shared', ...others].includes(other)).join('|')})/` },
    })),
    {
      name: 'a-reducer-has-only-the-exchange-of-the-coordinator',
      severity: 'error',
      from: { path: '^reducer/' },
      to: { path: '^coordinator/', pathNot: '^coordinator/(contract|exchange|port)/' },
    },
    {
      name: 'of-the-tool-only-verify-computes-as-the-coordinator-does',
      severity: 'error',
      from: { path: '^cli/', pathNot: '^cli/verify/' },
      to: { path: '^coordinator/' },
    },
    { name: 'contract-imports-no-other-room', severity: 'error', from: { path: '^coordinator/contract/' }, to: { path: '^coordinator/', pathNot: '^coordinator/contract/' } },
    roomsImportNoFileOf('coordinator', ['options\\.ts']),
    roomsImportNoFileOf('shared/data'),
    {
      name: 'the-product-needs-no-tools-of-development',
      severity: 'error',
      from: { path: `^(${[...Object.keys(programs), 'shared'].join('|')})/`, pathNot: '^shared/kernels/build\\.ts$' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    exclude: { path: '^shared/kernels/assembly/' },
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // An import of a type alone is a dependency too.
    tsPreCompilationDeps: true,
  },
}
