export { createTestClock, type TestClock } from "./clock.ts";
export { recordStoreConformance, type ConformanceRunner, type OpenForConformance } from "./record-store-conformance.ts";
export { userDirectoryConformance } from "./user-directory-conformance.ts";
