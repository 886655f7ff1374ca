/** What the native front saw of our caller before it started Node (native/front/hand-on.c). */
export interface Caller {
  /** Open from 3 on, without a gap. */
  descriptors: number
  nofileSoft: number
}

/** Undefined where Node was started without the front. */
export function callerOf({ KEELSON_OCI_CALLER: told = '' }: NodeJS.ProcessEnv): Caller | undefined {
  const [, descriptors, limit] = /^(\d+):(\d+)$/.exec(told) ?? []
  if (descriptors === undefined || limit === undefined) return undefined
  return { descriptors: Number(descriptors), nofileSoft: Number(limit) }
}
