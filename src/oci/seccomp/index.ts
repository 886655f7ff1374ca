/** Seccomp filters of our own making: profile in, BPF out. */
export * from './cache.ts'
export * from './compile.ts'
export * from './default-profile.ts'
export * from './filter.ts'
export * from './stored.ts'
