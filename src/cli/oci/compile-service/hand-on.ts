/** Thrown where only a command in Node itself can say what is to be done; the front then starts one. */
export class HandOn extends Error {}

export function handOn(why: string): never {
  throw new HandOn(why)
}
