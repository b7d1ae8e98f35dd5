import { z } from "zod";
import { route } from "../route.ts";

/** What there is to call, for clients and for people. */
export const openapiRoutes = [
  route({
    operationId: "openapiGet",
    method: "GET",
    path: "/openapi.json",
    summary: "This description: every route that is switched on, as OpenAPI 3.1.",
    query: z.strictObject({}),
    answers: { 200: z.looseObject({ openapi: z.literal("3.1.0") }), 304: "The one named in If-None-Match still holds." },
    async handle({ http, res }) {
      const { document, etag } = http.openapi();
      // Express answers 304 by it.
      res.setHeader("etag", etag);
      return { json: document };
    },
  }),
];
