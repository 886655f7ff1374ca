/** The typed door to the addon, one file per native/kernel file. Nothing else loads the addon. */
export * from './namespace-pins.ts'
export * from './owned-fd.ts'
export * from './process.ts'
export * from './sysctl-name.ts'
