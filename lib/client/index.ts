export { createClient, type CallOptions, type Client, type ClientOptions } from "./client.ts";
export type { ClientCode, ClientError, Result } from "./result.ts";
export type { ClientTokens, TokenKeeper } from "./tokens.ts";
export type * from "./operations.ts";
