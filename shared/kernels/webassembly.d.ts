/** Declarations of the part of Node's WebAssembly interface that Herd uses; TypeScript declares it for browsers only. */
declare namespace WebAssembly {
  function validate(code: Uint8Array): boolean

  class Module {
    constructor(code: Uint8Array)
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean })
    readonly buffer: ArrayBuffer
    /** Grows the memory by this many pages and returns its former size in pages. The buffer is detached, unless the memory is shared. */
    grow(pages: number): number
  }

  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, Memory>>)
    readonly exports: Readonly<Record<string, unknown>>
  }
}
