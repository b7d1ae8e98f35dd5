import type { AppProcess } from "./app-process.ts";
import { ask, wireRequest, type WireRequest } from "./load.ts";

/** Credentials that are refused before anything is asked of the store. */
export const refusedRequests: Readonly<Record<string, (app: AppProcess) => Promise<readonly WireRequest[]>>> = {
  async "forged cookie"(app: AppProcess) {
    const [signedIn] = await ask(app.port, [wireRequest("POST", "/sign-in?user=user-1")]);
    const cookie = signedIn?.cookie ?? "";
    const mangled = (at: number) => cookie.slice(0, at) + (cookie[at] === "A" ? "B" : "A") + cookie.slice(at + 1);
    return Array.from({ length: 100 }, (_, i) => wireRequest("GET", "/me", { cookie: mangled(4 + i) }));
  },
  "garbage for a cookie": () =>
    Promise.resolve(
      ["", "x", "x".repeat(107), "%00", "y".repeat(4000)].map((text) => wireRequest("GET", "/me", { cookie: `sid=${text}` })),
    ),
  async "mistyped API key"(app: AppProcess) {
    const [made] = await ask(app.port, [wireRequest("POST", "/api-key?user=user-1")]);
    const { key } = JSON.parse(made?.body ?? "") as { key: string };
    const mistyped = (at: number) => key.slice(0, at) + (key[at] === "a" ? "b" : "a") + key.slice(at + 1);
    return Array.from({ length: key.length - 3 }, (_, i) => wireRequest("GET", "/me", { authorization: `Bearer ${mistyped(3 + i)}` }));
  },
};
