import type { Clock } from '../../base/index.ts'
import type { RegistryAuth } from '../image-store.ts'
import { oneLine } from '../one-line.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import { RegistryError, refusal, unauthenticated } from './failures.ts'
import type { Endpoint } from './mirrors.ts'

/** What a request is for. Registries give tokens for one or the other. */
export type Access = 'pull' | 'push'

/** How the token service is asked; answers its status and text. */
export type AskTokenService = (
  url: URL,
  request: { form?: string; authorization?: string; signal?: AbortSignal },
) => Promise<{ status: number; retryAfterMs?: number; text: string }>

interface Grant {
  header: string
  challenge?: Extract<Challenge, { scheme: 'bearer' }>
  /** On the monotonic clock. */
  untilMs: number
}

/** A token without an expiry lasts a minute ("Token Authentication Specification"). */
const defaultLifeS = 60
/** A token is no longer used when this part of its life is over. */
const usedPart = 0.9

/**
 * Credentials for one server: what to send with a request, and what to do when it is refused. Tokens are kept until
 * shortly before they expire, and then renewed; requests that are refused at once ask for one token together.
 */
export class Authorization {
  readonly #endpoint: Endpoint
  readonly #auth: RegistryAuth
  readonly #ask: AskTokenService
  readonly #clock: Clock
  readonly #grants = new Map<Access, Grant>()
  readonly #asking = new Map<string, Promise<Grant>>()

  constructor(options: { endpoint: Endpoint; auth: RegistryAuth; ask: AskTokenService; clock: Clock }) {
    this.#endpoint = options.endpoint
    this.#auth = options.auth
    this.#ask = options.ask
    this.#clock = options.clock
  }

  get hasCredentials(): boolean {
    const { username, registryToken, identityToken } = this.#auth
    return Boolean(username || registryToken || identityToken)
  }

  async header(access: Access, signal?: AbortSignal): Promise<string | undefined> {
    if (this.#auth.registryToken) return `Bearer ${this.#auth.registryToken}`
    const grant = this.#grants.get(access)
    if (!grant || grant.untilMs > this.#clock.monotonicMs()) return grant?.header
    return grant.challenge && (await this.#renew(access, grant.challenge, signal)).header
  }

  /** After a 401 to a request with this header: gets a better one, or fails with UNAUTHENTICATED. */
  async answer(
    access: Access,
    used: string | undefined,
    challenges: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const current = this.#grants.get(access)
    if (current && current.header !== used) return // another request has been through this meanwhile
    const challenge = parseChallenge(challenges)
    if (!challenge || this.#auth.registryToken)
      throw unauthenticated(this.#endpoint.name, this.hasCredentials)
    if (challenge.scheme === 'bearer') return void (await this.#renew(access, challenge, signal))
    const header = this.#basic()
    if (header === undefined || header === used)
      throw unauthenticated(this.#endpoint.name, this.hasCredentials)
    this.#grants.set(access, { header, untilMs: Number.POSITIVE_INFINITY })
  }

  #basic(): string | undefined {
    const { username, password = '' } = this.#auth
    return username ? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` : undefined
  }

  async #renew(
    access: Access,
    challenge: Extract<Challenge, { scheme: 'bearer' }>,
    signal: AbortSignal | undefined,
  ): Promise<Grant> {
    const key = JSON.stringify(challenge)
    const asked =
      this.#asking.get(key) ?? this.#token(challenge, signal).finally(() => this.#asking.delete(key))
    this.#asking.set(key, asked)
    const grant = await asked
    this.#grants.set(access, grant)
    return grant
  }

  async #token(
    challenge: Extract<Challenge, { scheme: 'bearer' }>,
    signal: AbortSignal | undefined,
  ): Promise<Grant> {
    const realm = URL.canParse(challenge.realm) ? new URL(challenge.realm) : undefined
    if (!realm || !isSafe(realm, this.#endpoint))
      throw unauthenticated(
        this.#endpoint.name,
        this.hasCredentials,
        `refused token service ${oneLine(challenge.realm, 200)}`,
      )
    const sentMs = this.#clock.monotonicMs()
    const answer = await this.#ask(...this.#question(realm, challenge, signal))
    if (answer.status === 401) throw unauthenticated(this.#endpoint.name, this.hasCredentials)
    if (answer.status !== 200)
      throw refusal(answer, `a token for ${this.#endpoint.name}`, realm.host, answer.text)
    const { token, lifeS } = readToken(answer.text) ?? {}
    if (token === undefined || lifeS === undefined)
      throw new RegistryError(
        'UNAUTHENTICATED',
        `token service ${realm.host} sends no token for ${this.#endpoint.name}`,
      )
    return { header: `Bearer ${token}`, challenge, untilMs: sentMs + lifeS * 1000 * usedPart }
  }

  /** With an identity token by the OAuth2 way, else by GET ("Token Authentication", "OAuth2 Token Authentication"). */
  #question(
    realm: URL,
    { service, scope }: Extract<Challenge, { scheme: 'bearer' }>,
    signal: AbortSignal | undefined,
  ): Parameters<AskTokenService> {
    const { identityToken } = this.#auth
    const scopes = scope?.split(' ').filter(Boolean) ?? []
    if (identityToken) {
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: identityToken,
        client_id: 'keelson',
        ...(service && { service }),
        ...(scope && { scope }),
      })
      return [realm, { form: form.toString(), ...(signal && { signal }) }]
    }
    if (service) realm.searchParams.append('service', service)
    for (const one of scopes) realm.searchParams.append('scope', one)
    const basic = this.#basic()
    return [realm, { ...(basic !== undefined && { authorization: basic }), ...(signal && { signal }) }]
  }
}

/** Credentials of an https registry never go to a token service in the clear. */
function isSafe(realm: URL, endpoint: Endpoint): boolean {
  return realm.protocol === 'https:' || (realm.protocol === 'http:' && endpoint.origin.startsWith('http:'))
}

/** The token must be one that can stand in a header. */
function readToken(text: string): { token: string; lifeS: number } | undefined {
  try {
    const { token, access_token: accessToken, expires_in: expires } = JSON.parse(text)
    const found: unknown = token || accessToken
    if (typeof found !== 'string' || !/^[\x21-\x7e]{1,65536}$/.test(found)) return undefined
    return { token: found, lifeS: typeof expires === 'number' && expires > 0 ? expires : defaultLifeS }
  } catch {
    return undefined
  }
}
