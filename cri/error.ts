/** A failure of this layer, or one told by the other side of a socket: then with the `code` and message it had there. */
export class CriError extends Error {
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CriError'
    this.code = code
  }
}
