import assert from "node:assert/strict";

/** Somebody's browser, or their program: keeps cookies, and knows nothing of the server but its URL. */
export interface Visitor {
  /** Cookies by name. A test may change them. */
  readonly cookies: Map<string, string>;
  get(path: string, headers?: Headers): Promise<Answer>;
  post(path: string, body?: object, headers?: Headers): Promise<Answer>;
  delete(path: string, headers?: Headers): Promise<Answer>;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  /** The JSON of the answer, else its text. */
  readonly body: Body;
  /** Set-Cookie headers, parsed, in their order. */
  readonly cookies: readonly SetCookie[];
  readonly headers: globalThis.Headers;
}

/** A cookie as it was set. Attributes have lower-case names; those without a value are "". */
export interface SetCookie {
  readonly name: string;
  readonly value: string;
  readonly attributes: ReadonlyMap<string, string>;
}

type Headers = Readonly<Record<string, string>>;
// What is in an answer is what the tests are about.
type Body = { readonly [name: string]: unknown } & { readonly length?: number };

/** A visitor of a server's routes, without any cookie. Paths are below `/auth`. */
export function createVisitor(url: string): Visitor {
  const cookies = new Map<string, string>();

  const ask = async (method: string, path: string, headers: Headers = {}, body?: object): Promise<Answer> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(`${url}/auth${path}`, {
      method,
      redirect: "manual",
      headers: {
        ...(cookie === "" ? {} : { cookie }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const set = response.headers.getSetCookie().map(parseSetCookie);
    for (const { name, value, attributes } of set) {
      if (value === "" || attributes.get("max-age") === "0") cookies.delete(name);
      else cookies.set(name, value);
    }
    return { status: response.status, body: parseBody(await response.text()), cookies: set, headers: response.headers };
  };

  return {
    cookies,
    get: (path, headers) => ask("GET", path, headers),
    post: (path, body, headers) => ask("POST", path, headers, body),
    delete: (path, headers) => ask("DELETE", path, headers),
  };
}

function parseSetCookie(header: string): SetCookie {
  const [pair = "", ...rest] = header.split(/; ?/);
  const attributes = rest.map((attribute) => {
    const [name = "", value = ""] = attribute.split(/=(.*)/s);
    return [name.toLowerCase(), value] as const;
  });
  return { name: pair.slice(0, pair.indexOf("=")), value: pair.slice(pair.indexOf("=") + 1), attributes: new Map(attributes) };
}

function parseBody(text: string): Body {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return { text } as Body;
  }
}

/** The text of a field that must be there. */
export function textIn(body: Body, name: string): string {
  const value = body[name];
  assert.equal(typeof value, "string", `"${name}" should be text in ${JSON.stringify(body)}`);
  return String(value);
}

/** The fields of an object in an answer. */
export function fieldsIn(body: Body, name: string): Body {
  const value = body[name];
  assert.ok(typeof value === "object" && value !== null, `"${name}" should be an object in ${JSON.stringify(body)}`);
  return value as Body;
}
