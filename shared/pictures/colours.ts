/** Colours of text and lines. They are in a file of their own so that a contact sheet need not wait for the charts' library, which takes a second to load. */
export const INK = '#1f2933'
export const MUTED = '#65717e'
export const FAINT = '#e4e8ec'
