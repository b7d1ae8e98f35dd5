export {
  authConformance,
  DIFFERENCES,
  type AuthConformanceOptions,
  type AuthServer,
  type AuthServerInside,
  type AuthServerOptions,
  type Capability,
  type Difference,
} from "./auth-conformance.ts";
export { createTestClock, type TestClock } from "./clock.ts";
export {
  fakeProvider,
  faults,
  forgeries,
  signedBy,
  type Changes,
  type FakeEndpoint,
  type FakeProvider,
  type FakeProviderOptions,
  type FakeProviderRequest,
  type FakeUser,
  type Fault,
  type Signer,
  type SigningKey,
} from "./provider/index.ts";
export { recordStoreConformance, type ConformanceRunner, type OpenForConformance } from "./record-store-conformance.ts";
export { signInAs, type SignedInAs, type SignInAsOptions, type TestAgent, type TestUser } from "./sign-in-as.ts";
export { memoryTransport, type MemoryTransport } from "../email/memory.ts";
export { userDirectoryConformance } from "./user-directory-conformance.ts";
