export { encrypted, type EncryptedOptions, type EncryptedStore } from "./encrypted-store.ts";
export type { UnreadableRecord } from "./envelope.ts";
export type { StoreKeys } from "./keys.ts";
export { checkKeys, reencrypt, type KeyUse, type ReencryptOptions, type ReencryptReport } from "./reencrypt.ts";
