/** What a registry wants to see, from WWW-Authenticate (RFC 9110 section 11.6.1, distribution spec "token"). */
export type Challenge =
  | { scheme: 'basic' }
  | { scheme: 'bearer'; realm: string; service?: string; scope?: string }

/** The first challenge that we can answer; undefined when there is none. */
export function parseChallenge(header: string): Challenge | undefined {
  const bearer = /(?:^|,\s*)bearer\s+(.*)$/i.exec(header)
  if (bearer) {
    const { realm, service, scope } = parameters(bearer[1] ?? '')
    if (realm !== undefined)
      return {
        scheme: 'bearer',
        realm,
        ...(service !== undefined && { service }),
        ...(scope !== undefined && { scope }),
      }
  }
  return /(?:^|,\s*)basic\b/i.test(header) ? { scheme: 'basic' } : undefined
}

function parameters(text: string): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {}
  for (const [, key = '', quoted, bare] of text.matchAll(
    /([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi,
  ))
    found[key.toLowerCase()] ??= quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1')
  return found
}
