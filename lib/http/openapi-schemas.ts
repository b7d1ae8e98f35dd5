import { z } from "zod";

/** An instant as HTTP has it: RFC 3339 text, in UTC. */
const instant = z.string().meta({ format: "date-time" });

/** A user as answered. */
export const userSchema = z.strictObject({
  id: z.string(),
  email: z.string().nullable(),
  email_confirmed_at: instant.nullable(),
  name: z.string().nullable(),
  image: z.string().nullable(),
  created_at: instant,
});

/** Somebody whose profile is gone, or kept elsewhere. */
const bareUserSchema = z.strictObject({ id: z.string() });

/** A session as its owner sees it. */
export const sessionSchema = z.strictObject({
  id: z.string(),
  current: z.boolean(),
  device: z.string().nullable(),
  ip: z.string().nullable(),
  methods: z.array(z.string()),
  tenant_id: z.string().nullable(),
  created_at: instant,
  last_seen_at: instant,
  authenticated_at: instant,
  expires_at: instant,
});

/** An API key without its secret. */
export const apiKeySchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  key_prefix: z.string(),
  scopes: z.array(z.string()),
  created_at: instant,
  last_used_at: instant.nullable(),
  expires_at: instant.nullable(),
});

/** An API key in the one answer that shows it. */
export const newApiKeySchema = apiKeySchema.extend({ key: z.string() });

/** A provider account linked to a user, without its tokens. */
export const accountSchema = z.strictObject({
  id: z.string(),
  provider: z.string(),
  account_id: z.string(),
  scope: z.string().nullable(),
  reconnect_needed: z.boolean(),
  created_at: instant,
});

/** How long a provider's token lasts; never the token. */
export const freshTokenSchema = z.strictObject({
  id: z.string(),
  provider: z.string(),
  scope: z.string().nullable(),
  access_token_expires_at: instant.nullable(),
});

/** A session token, for a session that travels in the Authorization header. */
export const sessionTokenFields = { token: z.string().optional() };

/** What the transport of a session puts into bodies. */
export const credentialFields = {
  ...sessionTokenFields,
  access_token: z.string().optional(),
  token_type: z.literal("Bearer").optional(),
  /** Seconds. */
  expires_in: z.number().int().optional(),
  refresh_token: z.string().optional(),
};

/** A request for a code as administrators see it. */
export const adminCodeSchema = z.strictObject({
  id: z.string(),
  purpose: z.string(),
  email: z.string(),
  user_id: z.string().nullable(),
  created_at: instant,
  expires_at: instant,
});

/** A page of a list; `next_cursor` asks for the one behind it, and `unreadable` counts what could not be read and is left out. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item), next_cursor: z.string().nullable(), unreadable: z.number().int() });
}

/** Somebody has signed in. */
export const signedInSchema = z.strictObject({ user: z.union([userSchema, bareUserSchema]), session: sessionSchema, ...credentialFields });

/** New tokens for old. */
export const refreshedSchema = z.strictObject({ user: z.union([userSchema, bareUserSchema]), ...credentialFields });

/** It is done, and there is no more to say. */
export const successSchema = z.strictObject({ success: z.literal(true), message: z.string().optional() });

/** Somebody signed out. */
export const signedOutSchema = successSchema.extend({
  expires_at: instant
    .optional()
    .meta({ format: "date-time", description: "No session stood behind the access token: nothing ends it before this." }),
});

/** A sentence for people. */
export const messageSchema = z.strictObject({ message: z.string() });

/** A code is on its way; a client that is no browser names the request when it sends the code. */
export const codeSentSchema = messageSchema.extend({ request_id: z.string().optional() });

/** Where to send the browser. */
export const onwardSchema = z.strictObject({ url: z.string() });

/** A session became fresh. */
export const steppedUpSchema = z.strictObject({ authenticated_at: instant, ...credentialFields });

/** The public keys of access tokens. @see RFC 7517 section 5. */
export const jwksSchema = z.strictObject({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal("sig") })),
});

/** An error. @see RFC 9457. */
export const problemSchema = z.strictObject({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string(),
});

/** Names of those that an API description refers to; every other answer is named after its route. */
export const SCHEMA_NAMES: ReadonlyMap<z.ZodType, string> = new Map<z.ZodType, string>([
  [userSchema, "User"],
  [bareUserSchema, "BareUser"],
  [sessionSchema, "Session"],
  [apiKeySchema, "ApiKey"],
  [newApiKeySchema, "NewApiKey"],
  [accountSchema, "Account"],
  [freshTokenSchema, "FreshToken"],
  [signedInSchema, "SignedIn"],
  [refreshedSchema, "Refreshed"],
  [successSchema, "Success"],
  [signedOutSchema, "SignedOut"],
  [messageSchema, "Message"],
  [codeSentSchema, "CodeSent"],
  [onwardSchema, "Onward"],
  [steppedUpSchema, "SteppedUp"],
  [jwksSchema, "Jwks"],
  [problemSchema, "Problem"],
]);
