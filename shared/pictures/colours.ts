/** Of text and lines. Apart from the charts, whose library takes a second to load that a contact sheet need not wait for. */
export const INK = '#1f2933'
export const MUTED = '#65717e'
export const FAINT = '#e4e8ec'
