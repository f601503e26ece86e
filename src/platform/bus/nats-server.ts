import { permissionsOf } from './nats.ts'

export interface NatsUser {
  name: string
  password: string
  /** null is control, which may do all. */
  host: string | null
}

/** What `nats-server -c` reads: who may come in, and what each may say and hear. Source: NATS documentation, "Authorization". */
export function natsServerConfig(listen: { host: string; port: number }, users: readonly NatsUser[]): string {
  return JSON.stringify(
    {
      host: listen.host,
      port: listen.port,
      max_payload: 8 * 1024 ** 2,
      authorization: {
        users: users.map(({ name, password, host }) => ({
          user: name,
          password,
          permissions: host === null ? { publish: ['>'], subscribe: ['>'] } : permissionsOf(host),
        })),
      },
    },
    null,
    2,
  )
}
