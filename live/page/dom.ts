/** Small helpers for the DOM. Text is always inserted as text, never as HTML, so any name of a worker or folder is shown as it is. */

export type Attributes = Record<string, string | number | boolean>
export type Child = Node | string

/** Creates an element with its attributes (true: present, false: absent) and children. */
export function h<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  setAttributes(element, attributes)
  element.append(...children)
  return element
}

export function svg<Tag extends keyof SVGElementTagNameMap>(tag: Tag, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  setAttributes(element, attributes)
  element.append(...children)
  return element
}

/** Sets only the attributes that differ, so that nothing unchanged is laid out or read aloud again. */
export function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    const text = value === true ? '' : String(value)
    if (value === false) element.removeAttribute(name)
    else if (element.getAttribute(name) !== text) element.setAttribute(name, text)
  }
}

/** Sets an element's text only if it differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** An element from index.html. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`index.html has no #${id}`)
  return element
}

/** Wraps `render` so that it is called only if one of its arguments is not the same as last time. */
export function whenChanged<Arguments extends unknown[]>(render: (...values: Arguments) => void): (...values: Arguments) => void {
  let last: Arguments | undefined
  return (...values) => {
    if (last !== undefined && last.every((value, index) => Object.is(value, values[index]))) return
    last = values
    render(...values)
  }
}

/** An item's element in a list on the page. */
export interface Row<Item> {
  readonly element: Element
  update(item: Item): void
}

/** A list of elements for items, matched by the items' keys: elements that stay are updated in place, and keep focus and selection. */
export class KeyedList<Item> {
  readonly #parent: Element
  readonly #keyOf: (item: Item) => string
  readonly #create: (item: Item) => Row<Item>
  #rows = new Map<string, Row<Item>>()

  constructor(parent: Element, keyOf: (item: Item) => string, create: (item: Item) => Row<Item>) {
    this.#parent = parent
    this.#keyOf = keyOf
    this.#create = create
  }

  update(items: readonly Item[]): void {
    const rows = new Map<string, Row<Item>>()
    for (const item of items) {
      const key = this.#keyOf(item)
      rows.set(key, this.#rows.get(key) ?? this.#create(item))
    }
    for (const [key, { element }] of this.#rows) if (!rows.has(key)) element.remove()
    let position = 0
    for (const item of items) {
      const row = rows.get(this.#keyOf(item))
      row?.update(item)
      const there = this.#parent.children[position] as Element | undefined
      if (row !== undefined && there !== row.element) this.#parent.insertBefore(row.element, there ?? null)
      position++
    }
    this.#rows = rows
  }
}
