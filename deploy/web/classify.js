import { prepare } from './prepare.js'

/** The page: loads the network and its preprocessing from model/, and classifies photographs that are chosen or dropped. */

const tf = /** @type {import('./tensorflow').TensorFlow} */ (/** @type {unknown} */ (globalThis.tf))

/** Classes that are shown, the likeliest first. */
const SHOWN = 10

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
function element(id, kind) {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`)
  return found
}
const input = element('photograph', HTMLInputElement)
const picture = element('picture', HTMLImageElement)
const answer = element('answer', HTMLOListElement)
const status = element('status', HTMLElement)
const problem = element('problem', HTMLElement)

/** Loads the network. Threads would need headers of the server that few have. */
async function load() {
  const found = await fetch('model/preprocessing.json')
  if (!found.ok) throw new Error(`model/preprocessing.json cannot be loaded (HTTP ${found.status}): herd export --format web writes this page with a model`)
  const preprocessing = /** @type {import('./tensorflow').Preprocessing} */ (await found.json())
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
  tf.wasm.setWasmPaths('runtime/')
  await tf.setBackend('wasm')
  return { preprocessing, model: await tf.loadLayersModel('model/model.json') }
}

/**
 * Decodes a photograph: turned as its EXIF orientation says, on white where it is transparent, without its colour profile. One that is much larger than
 * needed is reduced to twice what is, as it is in training, so that a photograph of a camera takes no second.
 * @param {Blob} photograph
 * @param {number} shortSide
 */
async function decode(photograph, shortSide) {
  const bitmap = await createImageBitmap(photograph, { colorSpaceConversion: 'none' }).catch(() => {
    throw new Error('this is no picture that the browser can read: choose a JPEG, PNG or WebP file')
  })
  const reduced = Math.min(1, (2 * shortSide) / Math.min(bitmap.width, bitmap.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(bitmap.width * reduced)
  canvas.height = Math.round(bitmap.height * reduced)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) throw new Error('this browser gives no canvas to draw on')
  context.fillStyle = 'white'
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.imageSmoothingQuality = 'high'
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  return context.getImageData(0, 0, canvas.width, canvas.height)
}

/**
 * @param {Awaited<ReturnType<typeof load>>} network
 * @param {Blob} photograph
 * @returns {Promise<{ name: string, probability: number }[]>} the classes, the likeliest first
 */
async function classify({ preprocessing, model }, photograph) {
  const { centreCrop: side, classes, resize } = preprocessing
  const pixels = prepare(await decode(photograph, resize.shortSide), preprocessing)
  // The model normalises the values itself.
  const probabilities = tf.tidy(() => tf.softmax(model.predict(tf.tensor4d(Float32Array.from(pixels), [1, side, side, 3]))))
  const values = [...(await probabilities.data())]
  probabilities.dispose()
  return values.map((probability, index) => ({ name: classes[index], probability })).sort((a, b) => b.probability - a.probability)
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`

/** @param {{ name: string, probability: number }} likely */
function line({ name, probability }) {
  const item = document.createElement('li')
  const label = document.createElement('span')
  label.textContent = name
  const bar = document.createElement('meter')
  bar.value = probability
  bar.setAttribute('aria-hidden', 'true')
  const value = document.createElement('span')
  value.textContent = percent(probability)
  item.append(label, bar, value)
  return item
}

let asked = 0
const loading = load()

/** @param {Blob} photograph */
async function ask(photograph) {
  const mine = ++asked
  problem.textContent = ''
  status.textContent = 'The network computes …'
  answer.replaceChildren()
  URL.revokeObjectURL(picture.src)
  picture.src = URL.createObjectURL(photograph)
  picture.hidden = false
  try {
    const likeliest = await classify(await loading, photograph)
    // An answer about an earlier photograph comes too late.
    if (mine !== asked) return
    status.textContent = `${likeliest[0].name}, ${percent(likeliest[0].probability)}`
    answer.replaceChildren(...likeliest.slice(0, SHOWN).map(line))
  } catch (error) {
    if (mine === asked) fail(error)
  }
}

/** @param {unknown} error */
function fail(error) {
  status.textContent = ''
  picture.hidden = true
  problem.textContent = `${error instanceof Error ? error.message : String(error)}.`
}

input.addEventListener('change', () => {
  const [photograph] = input.files ?? []
  if (photograph !== undefined) void ask(photograph)
  // The same photograph can be chosen again.
  input.value = ''
})
// Without these the browser would open a file that is dropped beside the field in place of the page.
document.addEventListener('dragover', (event) => {
  event.preventDefault()
  document.body.classList.add('over')
})
document.addEventListener('dragleave', (event) => event.relatedTarget === null && document.body.classList.remove('over'))
document.addEventListener('drop', (event) => {
  event.preventDefault()
  document.body.classList.remove('over')
  const [photograph] = event.dataTransfer?.files ?? []
  if (photograph !== undefined) void ask(photograph)
})

loading.then(({ preprocessing }) => {
  input.disabled = false
  status.textContent = `The network tells ${preprocessing.classes.length} classes apart: choose a photograph.`
}, fail)
