import { spawnSync } from 'node:child_process'

/** `crun 1.8.1-1+deb12u1`: the package's version where dpkg knows it, else what the program says; undefined if absent. */
export function peerVersion(program: string): string | undefined {
  const said = spawnSync(program, ['--version'], { encoding: 'utf8' })
  if (said.error) return undefined
  const packaged = spawnSync('dpkg-query', ['-W', `-f=$\{Version}`, program], { encoding: 'utf8' })
  const version =
    packaged.status === 0 ? packaged.stdout.trim() : said.stdout.split('\n')[0]?.split(' ').at(-1)
  return `${program} ${version ?? 'unknown'}`
}
