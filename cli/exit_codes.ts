/** Exit code of the commands that compare, if what they compared differs. */
export const DIFFERENT = 3
