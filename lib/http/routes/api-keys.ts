import { z } from "zod";
import { text } from "../input.ts";
import { FRESH_SESSION, OWN_SESSION, ownSession } from "../own-session.ts";
import { apiKeySchema, newApiKeySchema } from "../openapi-schemas.ts";
import { route } from "../route.ts";
import { apiKeyView } from "../views.ts";

const keyId = z.strictObject({ id: z.string().regex(/^[0-9A-Za-z]{22}$/) });

/** API keys of the signed-in user. A key cannot manage keys: only a person who authenticated lately makes or rotates one. */
export const apiKeyRoutes = [
  route({
    operationId: "apiKeyCreate",
    method: "POST",
    path: "/api-keys",
    summary: "Makes a key; the answer is the only place that ever shows it.",
    guard: FRESH_SESSION,
    body: z.strictObject({
      name: z.string().max(200),
      scopes: z.array(text(128)).max(100).optional(),
      expires_in: z.number().int().positive().nullable().optional(),
    }),
    answers: {
      200: newApiKeySchema,
      problems: [
        "400 invalid_name",
        "400 invalid_scope",
        "400 invalid_ttl",
        "401 credentials_ended",
        "401 user_disabled",
        "403 insufficient_scope",
        "403 not_a_member",
        "409 too_many_api_keys",
      ],
    },
    async handle({ kit, http, req, source, body }) {
      const { userId, tenantId, epoch } = ownSession(req);
      const { name, scopes, expires_in: ttl } = body;
      const { apiKey, key } = await kit.apiKeys.create({
        userId,
        name,
        scopes,
        grantable: http.apiKeyScopes,
        ttl,
        tenantId,
        source,
        epoch,
      });
      return { json: { ...apiKeyView(apiKey), key } };
    },
  }),

  route({
    operationId: "apiKeysList",
    method: "GET",
    path: "/api-keys",
    summary: "The user's keys, without their secrets.",
    guard: OWN_SESSION,
    query: z.strictObject({}),
    answers: { 200: z.array(apiKeySchema) },
    async handle({ kit, req }) {
      const keys = await kit.apiKeys.list(ownSession(req).userId);
      return { json: keys.map(apiKeyView) };
    },
  }),

  route({
    operationId: "apiKeyDelete",
    method: "DELETE",
    path: "/api-keys/{id}",
    summary: "Ends a key at once.",
    guard: OWN_SESSION,
    params: keyId,
    answers: { 200: apiKeySchema, problems: ["404 not_found"] },
    async handle({ kit, req, source, params }) {
      return { json: apiKeyView(await kit.apiKeys.revoke(ownSession(req).userId, params.id, { source })) };
    },
  }),

  route({
    operationId: "apiKeyRotate",
    method: "POST",
    path: "/api-keys/{id}/rotate",
    summary: "Makes a successor; the old key lives on for the overlap.",
    guard: FRESH_SESSION,
    params: keyId,
    body: z.strictObject({ overlap: z.number().int().min(0).max(2_592_000).optional() }),
    answers: {
      200: newApiKeySchema,
      problems: [
        "400 invalid_overlap",
        "401 credentials_ended",
        "401 user_disabled",
        "404 not_found",
        "409 api_key_rotated",
        "409 too_many_api_keys",
      ],
    },
    async handle({ kit, req, source, params, body }) {
      const options = body.overlap === undefined ? { source } : { source, overlap: body.overlap };
      const { apiKey, key } = await kit.apiKeys.rotate(ownSession(req).userId, params.id, options);
      return { json: { ...apiKeyView(apiKey), key } };
    },
  }),
];
