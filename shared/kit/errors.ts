/**
 * Base of errors that are meant for people: the message names the field, the value, what was expected and what to do, in one or two lines. The
 * class tells whose fault the error is, and thereby the exit code.
 */
export abstract class HerdError extends Error {
  /** Exit code of the process if nothing handles the error. */
  abstract readonly exitCode: number
  override get name(): string {
    return this.constructor.name
  }
}

/** The command line, the environment or a configuration file is wrong: exit code 2. */
export class UsageError extends HerdError {
  readonly exitCode = 2
}

/** The run (or the command) failed for a reason outside the program: data, disk, network, another process. Exit code 1. */
export class RunError extends HerdError {
  readonly exitCode = 1
}

/** A file cannot be written: the disk is full or read-only, or its folder is gone. */
export class WriteError extends RunError {}

/** A folder or an image of the data set cannot be used. */
export class DataError extends RunError {}

/** A checkpoint is damaged, or belongs to another network, class list or version. */
export class CheckpointError extends RunError {}

/** A checkpoint was written by a newer version of Herd: it is sound, but this version cannot read it. */
export class NewerCheckpointError extends CheckpointError {}

/** An engine cannot be loaded, or does not support what it is asked to compute. */
export class EngineError extends RunError {}

/** A peer broke the wire contract, speaks another version of it, or cannot be reached. */
export class ProtocolError extends RunError {}

/** Returns the message of an error, or the text of any other value that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
