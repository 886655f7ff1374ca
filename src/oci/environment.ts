/**
 * The environment as the program gets it: of a name that is there twice the last value counts, in the place of the
 * first (as runc, where it goes through setenv). HOME is looked up in the container's /etc/passwd when it is missing
 * or empty.
 */
export function programEnvironment(entries: readonly string[] = []): { env: string[]; needsHome: boolean } {
  const byName = new Map(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry]))
  const home = byName.get('HOME')
  const needsHome = home === undefined || home === 'HOME='
  if (needsHome) byName.delete('HOME')
  return { env: [...byName.values()], needsHome }
}
