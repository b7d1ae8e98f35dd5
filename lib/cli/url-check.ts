import { isIP } from "node:net";
import type { Auth } from "../auth.ts";
import type { Inspection } from "../inspection.ts";
import { readBounded } from "../fetch.ts";
import { isLoopback } from "../loopback.ts";
import type { Finding } from "../storage/finding.ts";
import type { CliIo } from "./command.ts";

/** An address that is nobody's (RFC 5737): who believes it believes anybody. */
const FORGED = "203.0.113.77";
const TIMEOUT = 10_000;
const MAX_BYTES = 64 * 1024;
/** What our codes look like. */
const CODE = /^[a-z_]{1,64}$/;

/** What the application at a URL does with a visitor: one guest session, which is ended again. */
export async function checkUrl(
  url: URL,
  { auth, inspection, io }: { readonly auth: Pick<Auth, "sessions">; readonly inspection: Inspection; readonly io: CliIo },
): Promise<readonly Finding[]> {
  const path = `${inspection.basePath}/guest`;
  let answer: Response;
  try {
    answer = await io.fetch(`${url.origin}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": FORGED },
      body: "{}",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT),
    });
  } catch (error) {
    const message = `${url.origin} does not answer: ${error instanceof Error ? error.message : String(error)}`;
    return [{ code: "url_unreachable", level: "problem", message, fix: "see that the application runs and can be reached from here" }];
  }
  const { user_id: userId, code } = await bodyOf(answer);
  if (answer.status !== 200 || typeof userId !== "string")
    return [refusal(url, path, answer.status, typeof code === "string" && CODE.test(code) ? code : null)];

  // Whoever answers there may name anybody: what is ended is a guest's.
  const sessions = (await auth.sessions.list(userId)).filter(({ kind }) => kind === "guest");
  for (const session of sessions) await auth.sessions.revoke(session.id, { reason: "sign_out" });
  const cookies = cookieFindings(url, answer.headers.getSetCookie(), inspection);
  const [session] = sessions;
  if (!session) {
    const message = `what ${url.origin} keeps is not in the store of this configuration`;
    return [
      ...cookies,
      { code: "other_store", level: "problem", message, fix: "run this with the configuration, and the environment, of that application" },
    ];
  }
  return [...cookies, ...addressFindings(url, session.device?.ip ?? null, inspection)];
}

/** The fields of an answer; none of what is no JSON object, or longer than ours ever is. */
async function bodyOf(answer: Response): Promise<Readonly<Record<string, unknown>>> {
  try {
    const bytes = await readBounded(answer, MAX_BYTES);
    const body: unknown = JSON.parse(Buffer.from(bytes ?? []).toString());
    return typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function refusal(url: URL, path: string, status: number, code: string | null): Finding {
  const asked = `POST ${url.origin}${path} answers ${status}${code === null ? "" : ` ${code}`}`;
  if (code === "host_not_served")
    return { code: "base_url_missing", level: "problem", message: `${asked}: it has no baseUrl`, fix: `set baseUrl to ${url.origin}` };
  if (code === "rate_limited") return { code: "url_rate_limited", level: "note", message: asked, fix: "try again later" };
  const fix = "mount it with app.use(auth) at the top, with basePath as it is seen from outside";
  return { code: "not_mounted", level: "problem", message: `${asked}: our routes are not there`, fix };
}

function cookieFindings(url: URL, cookies: readonly string[], { baseUrl, secureCookies }: Inspection): Finding[] {
  const findings: Finding[] = [];
  const secure = cookies.every((cookie) => /;\s*secure\b/i.test(cookie));
  const plain = url.protocol === "http:" && !isLoopback(url.hostname);
  if (cookies.length === 0) {
    const message = `no cookie came with a session from ${url.origin}: something on the way takes it off`;
    findings.push({ code: "cookie_missing", level: "problem", message, fix: "let the proxy pass Set-Cookie" });
  } else if (plain) {
    const message = `${url.origin} serves sessions over plain http: ${secure ? "browsers drop their Secure cookies" : "anybody on the way can take their cookies"}`;
    findings.push({ code: "cookie_over_http", level: "problem", message, fix: "redirect http to https before the application" });
  } else if (secureCookies !== secure) {
    const message = `cookies from ${url.origin} are ${secure ? "" : "not "}Secure, by this configuration they would ${secure ? "not " : ""}be`;
    findings.push({
      code: "other_configuration",
      level: "problem",
      message,
      fix: "run this with the configuration, and the environment, of that application",
    });
  }
  if (baseUrl !== null && baseUrl !== url.origin) {
    const message = `baseUrl is ${baseUrl}, not ${url.origin}: redirects and links lead there`;
    findings.push({ code: "other_origin", level: "note", message, fix: null });
  }
  return findings;
}

function addressFindings(url: URL, ip: string | null, { baseUrl }: Inspection): Finding[] {
  const count = 'set app.set("trust proxy", n) to the number of proxies before the application';
  if (ip === FORGED) {
    // Past the proxy, a header that says so is as good as the proxy's own.
    const around = baseUrl !== null && baseUrl !== url.origin;
    const message = `an address that a client wrote into X-Forwarded-For is believed${around ? ", at least around the proxy" : ""}: limits by address can be evaded`;
    const fix = around
      ? `ask through the proxy, with --url ${baseUrl}, and let nobody else around it`
      : `${count}, 0 or false for none; never true`;
    return [{ code: "trust_proxy_open", level: around ? "warning" : "problem", message, fix }];
  }
  if (ip !== null && isPrivate(ip) && !isLoopback(url.hostname) && !isPrivate(url.hostname)) {
    const message = `all clients seem to come from ${ip}, the proxy: limits by address count them as one`;
    return [{ code: "trust_proxy_missing", level: "problem", message, fix: count }];
  }
  return [];
}

/** Whether an address is of this machine or a private network. @see RFC 1918, RFC 4193, RFC 4291 section 2.5.6, RFC 6598. */
function isPrivate(host: string): boolean {
  const address = host.replace(/^::ffff:/, "").replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 4)
    return /^(?:127\.|10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(address);
  return isIP(address) === 6 && /^(?:::1$|f[cd]|fe[89ab])/i.test(address);
}
