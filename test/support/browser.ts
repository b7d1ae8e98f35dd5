/** A browser's cookies, for one person who walks through pages by fetch. Cookies are kept by host, without paths. */
export interface Browser {
  /** One request; redirects are not followed. */
  go(url: string, init?: RequestInit): Promise<Response>;
  /** What a form of a page would send: `fields` over the values the page gives. */
  submit(page: Page, fields?: Record<string, string>): Promise<Response>;
}

/** A page with a form. */
export interface Page {
  readonly url: string;
  readonly html: string;
}

export function createBrowser(): Browser {
  const jars = new Map<string, Map<string, string>>();

  const go = async (url: string, init: RequestInit = {}) => {
    const { host } = new URL(url);
    const jar = jars.get(host) ?? new Map<string, string>();
    jars.set(host, jar);
    const headers = new Headers(init.headers);
    if (jar.size > 0) headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
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
