import type { StreamingUrls, StreamSession, WantedStreams } from '../../cri/service.ts'

/** Hands out URLs that nobody serves; `session` is what a client with the last one would get. */
export class FakeStreaming implements StreamingUrls {
  wanted: WantedStreams | undefined
  session: StreamSession = () => Promise.reject(new Error('nothing was asked for'))

  exec(_wanted: unknown, session: StreamSession): string {
    this.session = session
    return 'http://stream.test/exec'
  }

  attach(wanted: WantedStreams, session: StreamSession): string {
    this.wanted = wanted
    this.session = session
    return 'http://stream.test/attach'
  }

  portForward(): string {
    return 'http://stream.test/portforward'
  }
}
