import type { StreamingUrls, StreamSession } from '../../cri/service.ts'

/** Hands out URLs that nobody serves; `session` is what a client with the last one would get. */
export class FakeStreaming implements StreamingUrls {
  session: StreamSession = () => Promise.reject(new Error('nothing was asked for'))

  exec(_wanted: unknown, session: StreamSession): string {
    this.session = session
    return 'http://stream.test/exec'
  }

  attach(_wanted: unknown, session: StreamSession): string {
    this.session = session
    return 'http://stream.test/attach'
  }

  portForward(): string {
    return 'http://stream.test/portforward'
  }
}
