export { fakeProvider, type FakeProvider, type FakeProviderOptions, type FakeProviderRequest } from "./fake-provider.ts";
export type { Changes } from "./answers.ts";
export { faults, type FakeEndpoint, type Fault } from "./faults.ts";
export type { FakeUser } from "./grants.ts";
export { forgeries, signedBy, type Signer, type SigningKey } from "./signing.ts";
