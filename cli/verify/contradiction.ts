/** Something in a run is not what it is claimed to be. The message is a clause that follows on the name of the run. */
export class Contradiction extends Error {}
