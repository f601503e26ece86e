import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { baseString, isSigned, oauthParams } from './oauth-signatures.ts'

/** RFC 5849 §1.2: a photo is printed. The nonces and secrets are the document's own. */
const photo = {
  method: 'GET',
  url: 'http://photos.example.net/photos?file=vacation.jpg&size=original',
  authorization:
    'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", ' +
    'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH", ' +
    'oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"',
}
const secrets = { consumer: 'kd94hf93k423kf44', token: 'pfkkdhi9sl3r4s00' }
const then = 137_131_202_000

test('the example of RFC 5849 is signed by its secrets, and by no others', () => {
  assert.equal(isSigned(photo, secrets, then), true)
  assert.equal(isSigned(photo, { ...secrets, token: 'x' }, then), false)
  assert.equal(isSigned({ ...photo, url: photo.url.replace('original', 'small') }, secrets, then), false)
  assert.equal(isSigned({ ...photo, method: 'POST' }, secrets, then), false)
})

test('a signature is good for some minutes', () => {
  assert.equal(isSigned(photo, secrets, then + 599_000), true)
  assert.equal(isSigned(photo, secrets, then + 601_000), false)
  assert.equal(isSigned(photo, secrets, then - 601_000), false)
  const timeless = { ...photo, authorization: photo.authorization.replace('137131202', 'soon') }
  assert.equal(isSigned(timeless, secrets, then), false)
})

test('what is signed is normalised', () => {
  const text = baseString(
    { method: 'post', url: 'HTTP://Example.COM:80/r%20v/X?id=123&b=%3D%253D&a3=a&c%40=&a2=r%20b' },
    {
      oauth_consumer_key: 'k',
      oauth_signature: 'left out',
      c2: "!'()*",
    },
  )
  const [method, url, params = ''] = text.split('&')
  assert.deepEqual([method, decodeURIComponent(url ?? '')], ['POST', 'http://example.com/r%20v/X'])
  assert.equal(
    decodeURIComponent(params),
    'a2=r%20b&a3=a&b=%3D%253D&c%40=&c2=%21%27%28%29%2A&id=123&oauth_consumer_key=k',
  )
})

test('other headers and methods are no signatures', () => {
  assert.equal(oauthParams(undefined), null)
  assert.equal(oauthParams('Basic eDp5'), null)
  assert.equal(oauthParams('OAuth a="%zz"'), null)
  const plain = photo.authorization
    .replace('HMAC-SHA1', 'PLAINTEXT')
    .replace(/oauth_signature="[^"]*"/, 'oauth_signature="kd94hf93k423kf44%26pfkkdhi9sl3r4s00"')
  assert.equal(isSigned({ ...photo, authorization: plain }, secrets, then), false)
})

test('HMAC-SHA256 is a signature too', () => {
  const params = { oauth_signature_method: 'HMAC-SHA256', oauth_timestamp: '137131202', oauth_nonce: 'n' }
  const key = `${secrets.consumer}&${secrets.token}`
  const signature = createHmac('sha256', key).update(baseString(photo, params)).digest('base64')
  const header = Object.entries({ ...params, oauth_signature: encodeURIComponent(signature) })
  const authorization = `OAuth ${header.map(([name, value]) => `${name}="${value}"`).join(',')}`
  assert.equal(isSigned({ ...photo, authorization }, secrets, then), true)
})
