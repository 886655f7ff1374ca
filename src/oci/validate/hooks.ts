import { hookNames } from '../hook-names.ts'
import { shown } from '../shown.ts'
import type { Hook, Hooks } from '../spec.ts'
import { fail } from './fail.ts'

/** config.md, "POSIX-platform Hooks". */
export function checkHooks(hooks: Hooks | undefined): void {
  for (const name of hookNames)
    hooks?.[name]?.forEach((hook, index) => {
      checkHook(hook, `hooks.${name}[${index}]`)
    })
}

function checkHook({ path, timeout, env = [] }: Hook, at: string): void {
  if (!path.startsWith('/'))
    fail(`${at}.path`, `${shown(path)} is not absolute`, 'write a path that starts with /')
  if (timeout !== undefined && timeout <= 0)
    fail(`${at}.timeout`, 'must be above 0', 'give the seconds, or leave it out')
  env.forEach((entry, index) => {
    if (!/^[^=]+=/.test(entry))
      fail(`${at}.env[${index}]`, `${shown(entry)} is not NAME=VALUE`, 'write NAME=VALUE')
  })
}
