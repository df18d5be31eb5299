import { escapeXml } from '../../shared/pictures/text.ts'

/** Text that is HTML; every other text is escaped where it becomes a part of it. */
export class Html {
  readonly text: string

  /** @param text HTML that this program has written: whatever comes from elsewhere in it must be escaped */
  constructor(text: string) {
    this.text = text
  }
}

export type Content = Html | string | number | undefined | readonly Content[]

/** Tag of templates of HTML: what is filled in is escaped, unless it is `Html` itself, so that names of strangers' folders stay text. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(strings.map((part, index) => `${part}${index < contents.length ? textOf(contents[index]) : ''}`).join(''))
}

function textOf(content: Content): string {
  if (content instanceof Html) return content.text
  if (content === undefined) return ''
  if (typeof content === 'object') return content.map(textOf).join('')
  return escapeXml(String(content))
}

/** A name from outside, whose direction of writing does not spread to the text around it. */
export function named(text: string): Html {
  return html`<bdi>${text}</bdi>`
}

/** A section with a heading. @param id by which links find it */
export function section(id: string, heading: string, ...content: readonly Content[]): Html {
  return html`<section id="${id}" aria-labelledby="${id}-heading"><h2 id="${id}-heading">${heading}</h2>${content}</section>\n`
}

export interface Column {
  name: string
  /** True for a column of figures, which is aligned to the right. */
  isNumber?: boolean
}

/** A table whose first column names the rows. @param caption what it shows, for those who cannot see it */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Content[])[]): Html {
  const align = ({ isNumber }: Column): Content => (isNumber === true ? html` class="number"` : '')
  const head = columns.map((column) => html`<th scope="col"${align(column)}>${column.name}</th>`)
  const body = rows.map((row) => html`<tr>${row.map((cell, index) => (index === 0 ? html`<th scope="row"${align(columns[index])}>${cell}</th>` : html`<td${align(columns[index])}>${cell}</td>`))}</tr>\n`)
  return html`<div class="wide" role="region" aria-label="${caption}" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
}

/** Names and values, one below the other. */
export function list(items: readonly (readonly [name: string, value: Content])[]): Html {
  return html`<dl>${items.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

/**
 * A drawing of shared/pictures, in the page. Its style is left out: it has only what happens under a mouse.
 * @param svg as it was drawn: names in it are escaped
 * @param label what it shows, for those who cannot see it
 */
export function drawn(svg: string, label: string): Html {
  const plain = svg.replace(/<style ?>[^]*?<\/style>/g, '').replace('<svg ', () => `<svg role="img" aria-label="${escapeXml(label)}" `)
  return html`<figure class="plot">${new Html(plain)}</figure>`
}
