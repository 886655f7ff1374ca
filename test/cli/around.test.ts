import test from 'ava'
import { type Around, putAround } from '../../src/cli/around.ts'

class Store {
  #kept = 'kept'
  readonly part: string = 'own'
  async put(word: string): Promise<string> {
    return `${this.#kept} ${word}`
  }
  get(): string {
    return this.#kept
  }
}

test('around the named methods and no other; the target still finds its own fields', async (t) => {
  const steps: string[] = []
  const around: Around = async (step, call) => {
    steps.push(`before ${step}`)
    const result = await call()
    steps.push(`after ${step}`)
    return result
  }
  const wrapped = putAround(new Store(), 'store', ['put'], around, { part: 'another' })
  t.is(await wrapped.put('word'), 'kept word')
  t.is(wrapped.get(), 'kept')
  t.is(wrapped.part, 'another')
  t.deepEqual(steps, ['before store.put', 'after store.put'])
})
