import { sha256 } from "../crypto/hash.ts";
import { escapeHtml } from "../escape-html.ts";

const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--accent:#0b57d0;--on-accent:#fff;--line:#8a9099;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#15181c;--accent:#8ab4f8;--on-accent:#0b1c36;--line:#7d848e;--bad:#f2b8b5}}
body{font:1.05rem/1.6 system-ui,sans-serif;max-width:30rem;margin:min(15vh,8rem) auto;padding:0 1.25rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;line-height:1.2}
a{color:var(--accent)}
label{display:block}
input,button{font:inherit;border-radius:.4rem}
input{box-sizing:border-box;width:100%;padding:.5rem .7rem;color:inherit;background:transparent;border:1px solid var(--line)}
button{padding:.5rem 1.2rem;border:1px solid var(--accent);color:var(--on-accent);background:var(--accent);cursor:pointer}
button[name]{padding:0;border:0;color:var(--accent);background:none;text-decoration:underline}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
[role=alert]{color:var(--bad)}
`;

/** The Content-Security-Policy of our pages: nothing but their own style. An application's own, however strict, need not know of it. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${sha256(STYLE).toString("base64")}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

/** The same for a page that one origin may frame. */
export function framedPagePolicy(origin: string): string {
  return pagePolicy.replace(/frame-ancestors 'none'$/, `frame-ancestors ${origin}`);
}

/** The same for a page whose form is answered by a redirect to another origin, which browsers hold against `form-action`, too. */
export function onwardPagePolicy(origin: string): string {
  return pagePolicy.replace("form-action 'self'", `form-action 'self' ${origin}`);
}

/** A whole small page of ours: plain, readable, no scripts, nothing loaded from elsewhere. `body` is HTML. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

/** Why something did not come about, said at once by screen readers too. */
export function alert(message = "That did not work."): string {
  return `<p role="alert">${escapeHtml(message)}</p>\n`;
}

/** How to go on where nothing is left to do. */
export const START_PAGE = `<p><a href="/">Go to the start page</a></p>`;
