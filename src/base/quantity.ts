const decimal = ['', 'k', 'M', 'G', 'T', 'P', 'E']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const small: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3 }

/** A Kubernetes quantity that is not negative (`10M`, `1.5Gi`, `2e6`), rounded up to a whole number; undefined for what is none. */
export function wholeQuantity(text: string): number | undefined {
  const [, digits = '', suffix = ''] = /^\+?(\d+(?:\.\d*)?|\.\d+)(.*)$/.exec(text.trim()) ?? []
  const exponent = /^[eE]([+-]?\d{1,2})$/.exec(suffix)?.[1]
  const factor = exponent === undefined ? factorOf(suffix) : 10 ** Number(exponent)
  return digits === '' || factor === undefined ? undefined : Math.ceil(Number(digits) * factor)
}

function factorOf(suffix: string): number | undefined {
  if (decimal.includes(suffix)) return 1000 ** decimal.indexOf(suffix)
  if (binary.includes(suffix)) return 1024 ** binary.indexOf(suffix)
  return small[suffix]
}
