/** The HTTP client: 0.7 MB of code, loaded with the first pull and not with the start of a node. */
export { Agent, request } from 'undici'
