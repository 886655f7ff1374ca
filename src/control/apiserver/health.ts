import type { Handler, Reply } from './http/message.ts'

export interface HealthCheck {
  name: string
  /** Why not, or undefined when all is well. */
  check: () => string | undefined
}

/** `/healthz`, `/livez`, `/readyz`, each with `?verbose`, `?exclude=NAME` and one path per check. */
export function healthRoutes(
  live: readonly HealthCheck[],
  ready: readonly HealthCheck[],
): Map<string, Handler> {
  const routes = new Map<string, Handler>()
  for (const [name, checks] of [
    ['healthz', live],
    ['livez', live],
    ['readyz', ready],
  ] as const) {
    routes.set(`/${name}`, async ({ query }) => {
      const excluded = query.getAll('exclude')
      return report(
        name,
        checks.filter((one) => !excluded.includes(one.name)),
        query.has('verbose'),
      )
    })
    for (const one of checks)
      routes.set(`/${name}/${one.name}`, async ({ query }) => report(name, [one], query.has('verbose')))
  }
  return routes
}

function report(name: string, checks: readonly HealthCheck[], verbose: boolean): Reply {
  const results = checks.map((one) => ({ name: one.name, failure: one.check() }))
  const failed = results.some(({ failure }) => failure !== undefined)
  const lines = results.map(({ name: of, failure }) =>
    failure === undefined ? `[+]${of} ok` : `[-]${of} failed: ${failure}`,
  )
  const text =
    failed || verbose ? `${lines.join('\n')}\n${name} check ${failed ? 'failed' : 'passed'}\n` : 'ok'
  return {
    status: failed ? 500 : 200,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body: text,
  }
}
