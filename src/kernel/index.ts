/** The typed door to the addon, one file per native/kernel file. Nothing else loads the addon. */
export type * from './namespace-pins.ts'
export * from './process.ts'
