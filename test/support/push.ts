import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { InjectOptions } from 'fastify'
import type { App } from '../../src/platform/http/app.ts'
import { layerOf } from './image.ts'

export const digestOf = (bytes: Buffer | string, algorithm = 'sha256') =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`

export const manifestType = 'application/vnd.oci.image.manifest.v1+json'
export const indexType = 'application/vnd.oci.image.index.v1+json'

export interface Said {
  status: number
  headers: Record<string, unknown>
  bytes: Buffer
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect
  body: any
  /** Of the first error. */
  code: string | undefined
}

export type Client = ReturnType<typeof registryClient>

/** A client of the registry that sends an Identity token, or what else `headers` say. */
export function registryClient(app: App, token: string) {
  const call = async (
    method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    more: { body?: InjectOptions['payload']; headers?: Record<string, string> } = {},
  ): Promise<Said> => {
    const headers = { ...(token ? { 'x-auth-token': token } : {}), ...more.headers }
    const reply = await app.inject({ method, url, headers, ...(more.body === undefined ? {} : { payload: more.body }) })
    const isJson = String(reply.headers['content-type']).includes('json') && reply.body !== ''
    const body = isJson ? JSON.parse(reply.body) : undefined
    return {
      status: reply.statusCode,
      headers: reply.headers,
      bytes: reply.rawPayload,
      body,
      code: body?.errors?.[0].code,
    }
  }
  const stream = { 'content-type': 'application/octet-stream' }
  /** In one request; answers the digest. */
  const blob = async (repository: string, bytes: Buffer, algorithm = 'sha256'): Promise<string> => {
    const digest = digestOf(bytes, algorithm)
    const url = `/v2/${repository}/blobs/uploads/?digest=${digest}`
    const sent = await call('POST', url, { body: bytes, headers: stream })
    assert.deepEqual([sent.status, sent.headers['docker-content-digest']], [201, digest], sent.bytes.toString())
    return digest
  }
  const manifest = (repository: string, reference: string, content: object | string, type = manifestType) =>
    call('PUT', `/v2/${repository}/manifests/${reference}`, {
      body: typeof content === 'string' ? content : JSON.stringify(content),
      headers: { 'content-type': type },
    })
  /** A container image of one small layer; answers its manifest. */
  const image = async (
    repository: string,
    reference: string,
    text: string,
  ): Promise<{ digest: string; content: string }> => {
    const content = JSON.stringify(await imageOf(repository, text))
    const put = await manifest(repository, reference, content)
    assert.equal(put.status, 201, put.bytes.toString())
    return { digest: digestOf(content), content }
  }
  const imageOf = async (repository: string, text: string, more: object = {}) => {
    const layer = await layerOf('file', text)
    const config = Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config: { Cmd: ['/bin/busybox'] },
        rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
      }),
    )
    const part = async (mediaType: string, bytes: Buffer) => ({
      mediaType,
      digest: await blob(repository, bytes),
      size: bytes.length,
    })
    return {
      schemaVersion: 2,
      mediaType: manifestType,
      config: await part('application/vnd.oci.image.config.v1+json', config),
      layers: [await part('application/vnd.oci.image.layer.v1.tar', layer)],
      ...more,
    }
  }
  return { call, blob, manifest, image, imageOf }
}
