export { encrypted, type EncryptedOptions, type UnreadableRecord } from "./encrypted-store.ts";
export type { StoreKeys } from "./keys.ts";
export { checkKeys, reencrypt, type KeyUse, type ReencryptOptions, type ReencryptReport } from "./reencrypt.ts";
