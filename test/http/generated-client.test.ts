import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { startApp } from "../support/app.ts";

/** What another document of these routes says of bodies: no field of ours beyond it is asked for. */
const user = z.looseObject({ id: z.string(), email: z.string(), email_confirmed_at: z.string().nullish(), created_at: z.string() });
const signedIn = z.looseObject({ user });
const message = z.looseObject({ message: z.string() });
const signedOut = z.looseObject({ success: z.boolean(), message: z.string() });
const instant = z.iso.datetime();
const summary = z.looseObject({
  id: z.string(),
  name: z.string(),
  key_prefix: z.string(),
  created_at: instant,
  last_used_at: instant.nullish(),
});
const created = summary.extend({ key: z.string() });

const OPERATIONS = {
  signUp: ["POST", "/auth/sign-up", signedIn],
  signIn: ["POST", "/auth/sign-in", signedIn],
  refresh: ["POST", "/auth/refresh", signedIn],
  signOut: ["POST", "/auth/sign-out", signedOut],
  meGet: ["GET", "/auth/me", user],
  apiKeyCreate: ["POST", "/auth/api-keys", created],
  apiKeysList: ["GET", "/auth/api-keys", z.array(summary)],
  apiKeyDelete: ["DELETE", "/auth/api-keys/{api_key_id}", summary],
  emailConfirmSend: ["POST", "/auth/email/confirm/send", message],
  passwordForgot: ["POST", "/auth/password/forgot", message],
  passwordReset: ["POST", "/auth/password/reset", message],
} as const satisfies Record<string, readonly ["GET" | "POST" | "DELETE", string, z.ZodType]>;

type Name = keyof typeof OPERATIONS;
type Data<N extends Name> = z.output<(typeof OPERATIONS)[N][2]>;
interface Call {
  readonly body?: object;
  readonly path?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** As generators make them: fetch, a body or none, cookies as a browser keeps them for a path, no field that the document has not. */
function generatedClient(baseUrl: string) {
  const jar = new Map<string, { value: string; path: string }>();
  const call = async <N extends Name>(
    name: N,
    { body, path = {}, headers = {} }: Call = {},
  ): Promise<{ data: Data<N>; response: Response }> => {
    const [method, template, schema] = OPERATIONS[name];
    const url = new URL(
      template.replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(path[key] ?? "")),
      baseUrl,
    );
    const cookie = [...jar].flatMap(([key, kept]) => (url.pathname.startsWith(kept.path) ? [`${key}=${kept.value}`] : [])).join("; ");
    const response = await fetch(url, {
      method,
      headers: {
        "sec-fetch-site": "same-origin",
        ...(cookie === "" ? {} : { cookie }),
        ...(body ? { "content-type": "application/json" } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    for (const set of response.headers.getSetCookie()) {
      const [, key = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "") jar.delete(key);
      else jar.set(key, { value, path: /path=([^;]+)/i.exec(set)?.[1] ?? "/" });
    }
    const json: unknown = await response.json();
    if (!response.ok) throw Object.assign(new Error(`${name}: ${response.status}`), { status: response.status, error: json });
    return { data: schema.parse(json) as Data<N>, response };
  };
  return { call, jar };
}

let app: Awaited<ReturnType<typeof startApp>>;
beforeEach(async () => {
  app = await startApp({
    session: { transport: "cookie" },
    cookie: { accessName: "access_token", refreshName: "refresh_token" },
    tokens: { audience: "authenticated" },
    passwords: { requireConfirmedEmail: false, unsafeMinLength: 8 },
  });
});
afterEach(() => app.close());

const ADA = { email: "ada@example.com", password: "Mauve-kettle-7" };

describe("a client generated from a document that knows email and password, and cookies named access_token and refresh_token", () => {
  it("completes its cycle: signing up, refreshing, keys, a forgotten password, signing out and in", async () => {
    const { call, jar } = generatedClient(app.url);
    const { data: signedUp, response } = await call("signUp", { body: ADA });
    expect(response.status).toBe(200);
    expect([...jar.keys()].sort()).toEqual(["access_token", "refresh_token"]);
    expect((await call("meGet")).data).toEqual(signedUp.user);

    const before = jar.get("refresh_token")?.value;
    expect((await call("refresh")).data.user).toEqual(signedUp.user);
    expect(jar.get("refresh_token")?.value).not.toBe(before);

    const { data: made } = await call("apiKeyCreate", { body: { name: "deploy" } });
    const { data: listed } = await call("apiKeysList");
    expect(listed.map(({ id }) => id)).toEqual([made.id]);
    const program = generatedClient(app.url);
    expect((await program.call("meGet", { headers: { authorization: `Bearer ${made.key}` } })).data.email).toBe(ADA.email);
    expect((await call("apiKeyDelete", { path: { api_key_id: made.id } })).data.id).toBe(made.id);
    expect((await call("apiKeysList")).data).toEqual([]);

    expect((await call("emailConfirmSend", { body: { email: ADA.email } })).data.message).toMatch(/^If an account exists/);
    await app.mailbox.waitForLink(ADA.email);
    expect((await call("passwordForgot", { body: { email: ADA.email } })).data.message).toMatch(/^If an account exists/);
    const token = new URL(await app.mailbox.waitForLink(ADA.email)).searchParams.get("token");
    const password = "Quiet-badger-9";
    expect((await call("passwordReset", { body: { token, password } })).data.message).toMatch(/^Password reset successfully/);
    await expect(call("refresh")).rejects.toMatchObject({ status: 401 });
    await expect(call("signIn", { body: ADA })).rejects.toMatchObject({ status: 401 });

    expect((await call("signIn", { body: { ...ADA, password } })).data.user).toMatchObject({ id: signedUp.user.id });
    expect((await call("signOut")).data.success).toBe(true);
    expect([...jar.keys()]).toEqual([]);
    await expect(call("meGet")).rejects.toMatchObject({ status: 401 });
  });

  it("renews by hand: a call, 401, a refresh, and the call once more", async () => {
    const { call } = generatedClient(app.url);
    await call("signUp", { body: ADA });
    app.clock.advance(906);
    await expect(call("apiKeysList")).rejects.toMatchObject({ status: 401 });
    await call("refresh");
    expect((await call("apiKeysList")).data).toEqual([]);
  });
});
