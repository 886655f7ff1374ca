#!/usr/bin/env node
// run-tests COUNTFILE [ava arguments]: runs ava, prints one line per failed or skipped test and a running count,
// and writes `N passed, N failed, N skipped` to COUNTFILE. Exits as ava does.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const [, , countFile, ...args] = process.argv
const counts = { passed: 0, failed: 0, skipped: 0 }
const startedMs = performance.now()
const ava = spawn('npx', ['--no-install', 'ava', '--tap', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })

let inDiagnostics = false
for await (const line of createInterface({ input: ava.stdout })) {
  const result = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO).*)?$/.exec(line)
  if (!result) {
    if (line.startsWith('Bail out!') || (inDiagnostics && line.startsWith(' ')))
      process.stdout.write(`${line}\n`)
    continue
  }
  const [, not, title, directive] = result
  inDiagnostics = not !== undefined && directive === undefined
  if (directive) {
    counts.skipped++
    process.stdout.write(`  – skipped: ${title}\n`)
  } else if (not) {
    counts.failed++
    process.stdout.write(`  ✘ ${title}\n`)
  } else {
    counts.passed++
    if (process.stdout.isTTY) process.stdout.write(`\r  ${counts.passed} passed`)
  }
}
const exitCode = await new Promise((resolve) =>
  ava.exitCode === null ? ava.once('exit', resolve) : resolve(ava.exitCode),
)
const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
const line = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`
process.stdout.write(`\n${line} in ${seconds} s\n`)
writeFileSync(countFile, `${line}\n`)
process.exit(exitCode === 0 && counts.failed === 0 && counts.passed > 0 ? 0 : 1)
