/**
 * Something put around chosen methods of an object that the layers hand to each other: a stopwatch, a point of
 * failure. Steps have names (`network.setUp`), so that whoever is put around can tell them apart.
 */
export type Around = <Result>(step: string, call: () => Promise<Result>) => Promise<Result>

/** As `target`, with `around` at every call of the named methods; members that are given take the place of its own. */
export function putAround<Target extends object>(
  target: Target,
  part: string,
  methods: readonly (keyof Target & string)[],
  around: Around,
  members: Partial<Target> = {},
): Target {
  const wrapped = new Map<string | symbol, unknown>(Object.entries(members))
  for (const name of methods) {
    const method = target[name] as (...args: unknown[]) => Promise<unknown>
    wrapped.set(name, (...args: unknown[]) =>
      around(`${part}.${name}`, () => Reflect.apply(method, target, args)),
    )
  }
  return new Proxy(target, {
    get(own, key) {
      const found = wrapped.get(key)
      if (found) return found
      const value: unknown = Reflect.get(own, key, own)
      // Called on the proxy a method would not find the target's private fields.
      return typeof value === 'function' ? value.bind(own) : value
    },
  })
}
