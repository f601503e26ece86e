export { fakeNetworkHost } from '../../src/services/network/host/fake.ts'
