/** Messages and enums of CRI v1, generated from cri/proto (see buf.gen.yaml). 64-bit integers are bigint. */
export * from './generated/runtime/v1/api.ts'
