import { PassThrough } from 'node:stream'
import type { Execution } from '../../src/oci/index.ts'

/** A process whose pipes stay open after it has ended, as a child of it would keep them. */
export class FakeExecution implements Execution {
  readonly pid = 2
  readonly stdin = new PassThrough()
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly signals: (string | number)[] = []
  end: (exitCode: number) => void = () => {}
  readonly #ended = new Promise<{ exitCode: number }>((resolve) => {
    this.end = (exitCode) => resolve({ exitCode })
  })

  wait(): Promise<{ exitCode: number }> {
    return this.#ended
  }

  kill(signal: string | number): void {
    this.signals.push(signal)
    this.end(137)
  }

  resize(): void {}
}
