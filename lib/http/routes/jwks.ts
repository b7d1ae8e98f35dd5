import { z } from "zod";
import { NotFoundError } from "../../errors.ts";
import { jwksSchema } from "../openapi-schemas.ts";
import { route } from "../route.ts";

/** The keys by which others verify our access tokens. */
export const jwksRoutes = [
  route({
    operationId: "jwksGet",
    method: "GET",
    path: "/.well-known/jwks.json",
    summary: "The public keys of access tokens.",
    query: z.strictObject({}),
    answers: { 200: jwksSchema, problems: ["404 not_found"] },
    async handle({ kit }) {
      if (!kit.accessTokens) throw new NotFoundError("There is no such route");
      return { json: kit.accessTokens.jwks };
    },
  }),
];
