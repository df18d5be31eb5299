/** What Node has of the WebAssembly interface and Herd uses of it; TypeScript declares it for browsers only. */
declare namespace WebAssembly {
  function validate(code: Uint8Array): boolean

  class Module {
    constructor(code: Uint8Array)
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean })
    readonly buffer: ArrayBuffer
    /** In pages; detaches the buffer that there was, but that of a shared memory. */
    grow(pages: number): number
  }

  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, Memory>>)
    readonly exports: Readonly<Record<string, unknown>>
  }
}
