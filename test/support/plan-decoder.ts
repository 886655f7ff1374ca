/** keelson-init's own reader of plans, built with the address sanitizer (test/native/plan-decoder.c). */
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Builds it into `folder`; the function gives `valid` or `refused` for each plan, and throws when it crashes. */
export function buildPlanDecoder(folder: string): (plans: readonly Uint8Array[]) => string[] {
  const program = join(folder, 'plan-decoder')
  const native = join(root, 'native')
  const flags = ['-std=gnu17', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover', `-I${native}`]
  const sources = [join(root, 'test/native/plan-decoder.c'), join(native, 'init/plan.c')]
  execFileSync('cc', [...flags, ...sources, '-o', program])
  return (plans) => {
    const { stdout, stderr, status } = spawnSync(program, { input: framed(plans), maxBuffer: 1 << 24 })
    if (status !== 0) throw new Error(`the decoder ended with ${status}: ${stderr}`)
    return plans.length === 0 ? [] : String(stdout).trim().split('\n')
  }
}

function framed(plans: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    plans.flatMap((bytes) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      return [length, bytes]
    }),
  )
}
