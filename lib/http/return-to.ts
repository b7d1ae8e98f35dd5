const CONTROL = /[\p{Cc}\\]/u;

/**
 * A safe place to send a browser: `target` when it is a path of ours or lies on an allow-listed origin, else `null`.
 * The raw text must be free of backslashes and control characters, and no `//host` in disguise.
 * @see CWE-601, and OWASP ASVS 5.0, 3.7.2.
 */
export function safeReturnTo(target: string | undefined, origin: string, allowed: ReadonlySet<string>): string | null {
  if (target === undefined || target === "" || target.length > 2048 || CONTROL.test(target) || target.startsWith("//")) return null;
  if (!URL.canParse(target, origin)) return null;
  const url = new URL(target, origin);
  if (url.username !== "" || url.password !== "") return null;
  if (url.origin === origin) return `${url.pathname}${url.search}${url.hash}`.replace(/^\/{2,}/, "/");
  return (url.protocol === "https:" || url.protocol === "http:") && allowed.has(url.origin) ? url.href : null;
}
