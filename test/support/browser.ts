import { request } from "node:http";

/** A browser's cookies, for one person who walks through pages. Cookies are kept by host, without paths. */
export interface Browser {
  /** One request; redirects are not followed. */
  go(url: string, init?: Visit): Promise<Response>;
  /** What a form of a page would send: `fields` over the values the page gives. */
  submit(page: Page, fields?: Record<string, string>): Promise<Response>;
}

/** How a page is asked for. A form is sent as one. */
export interface Visit {
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | URLSearchParams;
}

/** A page with a form. */
export interface Page {
  readonly url: string;
  readonly html: string;
}

export function createBrowser(): Browser {
  const jars = new Map<string, Map<string, string>>();

  const go = async (url: string, init: Visit = {}) => {
    const { host } = new URL(url);
    const jar = jars.get(host) ?? new Map<string, string>();
    jars.set(host, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await send(url, { ...init, headers: { ...(cookie === "" ? {} : { cookie }), ...init.headers } });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ""] = cookie.split(";");
      const name = pair.slice(0, pair.indexOf("="));
      const value = pair.slice(pair.indexOf("=") + 1);
      if (value === "" || /expires=thu, 01 jan 1970/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };

  return {
    go,
    submit: ({ url, html }, fields = {}) => {
      const form = formIn(html);
      return go(new URL(form.action, url).href, { method: "POST", body: new URLSearchParams({ ...form.fields, ...fields }) });
    },
  };
}

/** Not by fetch, which says of itself in `Sec-Fetch-Mode` what no navigation says. */
function send(url: string, { method = "GET", headers = {}, body = "" }: Visit): Promise<Response> {
  const form = body instanceof URLSearchParams ? { "content-type": "application/x-www-form-urlencoded" } : {};
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers: { ...form, ...headers } }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.once("error", reject);
      incoming.once("end", () => {
        const received = new Headers();
        for (const [name, values] of Object.entries(incoming.headersDistinct))
          for (const value of values ?? []) received.append(name, value);
        resolve(new Response(chunks.length === 0 ? null : Buffer.concat(chunks), { status: incoming.statusCode ?? 0, headers: received }));
      });
    });
    outgoing.once("error", reject);
    outgoing.end(body.toString());
  });
}

/** The first form of a page: where it goes, and the hidden values it sends. */
export function formIn(html: string): { action: string; fields: Record<string, string> } {
  const action = unescapeHtml(/<form[^>]*\saction="([^"]*)"/.exec(html)?.[1] ?? "");
  const fields: Record<string, string> = {};
  for (const [input] of html.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
    const name = /name="([^"]*)"/.exec(input)?.[1];
    if (name) fields[name] = unescapeHtml(/value="([^"]*)"/.exec(input)?.[1] ?? "");
  }
  return { action, fields };
}

function unescapeHtml(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
