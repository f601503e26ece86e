import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { type SignedRequest, sameText, signatureOf, signatureOfText } from './ec2-signatures.ts'

const emptyHash = createHash('sha256').update('').digest('hex')

/** The worked example of AWS's documentation on version 2. */
const v2: SignedRequest = {
  verb: 'GET',
  host: 'elasticmapreduce.amazonaws.com',
  path: '/',
  params: {
    AWSAccessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    Action: 'DescribeJobFlows',
    SignatureMethod: 'HmacSHA256',
    SignatureVersion: '2',
    Timestamp: '2011-10-03T15:19:30',
    Version: '2009-03-31',
  },
  headers: {},
  bodyHash: '',
}

/** The worked example of AWS's documentation on version 4. */
const v4: SignedRequest = {
  verb: 'GET',
  host: 'iam.amazonaws.com',
  path: '/',
  params: { Action: 'ListUsers', Version: '2010-05-08' },
  headers: {
    Authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=x',
    'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
    Host: 'iam.amazonaws.com',
    'X-Amz-Date': '20150830T123600Z',
  },
  bodyHash: emptyHash,
}
const v4Secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

test('signatures are those of the documentation', () => {
  assert.equal(
    signatureOf('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', v2),
    'i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=',
  )
  assert.equal(signatureOf(v4Secret, v4), '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7')
})

test('a signed query is not signed with its own signature', () => {
  const params = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request',
    'X-Amz-Date': '20150830T123600Z',
    'X-Amz-SignedHeaders': 'host',
  }
  const request = { ...v4, params, headers: { host: 'iam.amazonaws.com' } }
  const signature = signatureOf(v4Secret, request)
  assert.match(signature ?? '', /^[0-9a-f]{64}$/)
  assert.equal(signatureOf(v4Secret, { ...request, params: { ...params, 'X-Amz-Signature': 'y' } }), signature)
})

const refused: [what: string, request: SignedRequest][] = [
  ['version 1', { ...v2, params: { ...v2.params, SignatureVersion: '1' } }],
  ['nothing', { ...v4, headers: {} }],
  ['another day than that of the scope', { ...v4, headers: { ...v4.headers, 'X-Amz-Date': '20150831T123600Z' } }],
]
for (const [what, request] of refused)
  test(`signed with ${what}: no signature is right`, () => assert.equal(signatureOf('s', request), null))

test('texts to sign of an S3 service', () => {
  const old = Buffer.from('GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg')
  assert.equal(signatureOfText('secret', old), createHmac('sha1', 'secret').update(old).digest('base64'))
  const text = (service: string) =>
    Buffer.from(`AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/${service}/aws4_request\n${emptyHash}`)
  assert.match(signatureOfText('secret', text('s3')) ?? '', /^[0-9a-f]{64}$/)
  assert.equal(signatureOfText('secret', text('ec2')), null)
  assert.equal(signatureOfText('secret', Buffer.from('AWS4-HMAC-SHA256\nmore\n')), null)
  assert.ok(sameText('a', 'a'))
  assert.ok(!sameText('a', 'ab'))
})
