import { sha256 } from "../crypto/hash.ts";
import { escapeHtml } from "../escape-html.ts";

const STYLE = `
body{font:1.05rem/1.6 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.25rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem;line-height:1.2}
a{color:#0b57d0}
@media (prefers-color-scheme:dark){body{color:#e6e8eb;background:#15181c}a{color:#8ab4f8}}
`;

/** The Content-Security-Policy of our pages: nothing but their own style. An application's own, however strict, need not know of it. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${sha256(STYLE).toString("base64")}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

/** The same for a page that one origin may frame. */
export function framedPagePolicy(origin: string): string {
  return pagePolicy.replace(/frame-ancestors 'none'$/, `frame-ancestors ${origin}`);
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
