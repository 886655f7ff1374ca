import * as v from 'valibot'

/** A text; the message is for whoever writes something else. */
export function text(message: string) {
  return v.string(message)
}

/** A whole number from `low` to `high`. */
export function wholeNumber(low: number, high: number, message: string): v.GenericSchema<unknown, number> {
  return v.pipe(
    v.unknown(),
    v.check((value) => Number.isInteger(value) && Number(value) >= low && Number(value) <= high, message),
    v.transform(Number),
  )
}
