/** Programs that work against a runtime from the inside of a container or from beside it. See attacker.c. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** Many tries where time is no matter (`make test-full`), few else. */
export const isFull = process.env['KEELSON_TEST_FULL'] === '1'

/** Compiled into a folder, as `attacker`; static, since a container's file system holds no libraries. */
export function buildAttacker(folder: string): string {
  const program = join(folder, 'attacker')
  const source = fileURLToPath(new URL('attacker.c', import.meta.url))
  execFileSync('cc', ['-O1', '-Wall', '-static', '-o', program, source])
  return program
}

export interface Swapper extends AsyncDisposable {
  /** Ends it; how often it exchanged the two names. */
  stop(): Promise<number>
}

/** Exchanges two names as fast as the kernel can, so that each is always there and never for long the same. */
export async function swapNames(program: string, a: string, b: string): Promise<Swapper> {
  const child = spawn(program, ['swap', a, b], { stdio: ['pipe', 'pipe', 'inherit'] })
  const said = text(child.stdout)
  await once(child, 'spawn')
  const stop = async () => {
    child.stdin.end()
    return Number(/swaps (\d+)/.exec(await said)?.[1])
  }
  return {
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}

/** Tries `once` again and again until `tries` are counted or the time is over; how many there were. */
export async function tryUntil(
  { tries, seconds }: { tries: number; seconds: number },
  once: () => Promise<number>,
): Promise<number> {
  const untilMs = performance.now() + seconds * 1000
  let done = 0
  while (done < tries && performance.now() < untilMs) done += await once()
  return done
}
