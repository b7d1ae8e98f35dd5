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
export { recordStoreConformance, type ConformanceRunner, type OpenForConformance } from "./record-store-conformance.ts";
export { userDirectoryConformance } from "./user-directory-conformance.ts";
