import { cell, membersOf, type Member } from "./interfaces.ts";

/** What an option is when it is left out, as the end of its docstring says. */
const DEFAULT = /\s*Default: ([\s\S]+?)(?:\.(?=\s|$)|$)/;

/** A table of the options of the interface `name`: what each is for, in which unit, and what it is when left out. */
export function optionsTable(name: string, sources: ReadonlyMap<string, string>): string {
  const rows = membersOf(name, sources).map((member) => {
    const { meaning, fallback } = read(member);
    return `| \`${member.name}\` | \`${cell(member.type)}\` | ${cell(meaning)} | ${cell(fallback)} |`;
  });
  return ["| Option | Type | Meaning | Default |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function read({ doc, optional }: Member): { meaning: string; fallback: string } {
  const found = DEFAULT.exec(doc);
  const meaning = doc.replace(DEFAULT, "").replace(/\s*\bRequired\.(?=\s|$)/, "").trim(); // prettier-ignore
  return { meaning, fallback: found?.[1] ?? (optional ? "" : "required") };
}

interface Section {
  readonly title: string;
  readonly says: string;
  readonly name: string;
}

const section = (title: string, name: string, says: string): Section => ({ title, name, says });

const SECTIONS = [
  section("createAuth", "AuthOptions", "`createAuth({ ... })`. Each may be `undefined`, so that it can come from the environment."),
  section("session", "SessionOptions", "[Sessions](../sessions.md)."),
  section("cookie", "CookieSettings", "The cookies of sessions and tokens."),
  section("magicCodes", "MagicCodesOptions", "[Codes by mail](../magic-codes.md). A limit such as `5/15m` is so many in so long: `s`, `m`, `h` or `d`."),
  section("passwords", "PasswordsOptions", "[Passwords](../passwords.md)."),
  section("passwords.argon2", "Argon2Options", "The cost of a hash, at least that of one of: 1 pass over 47,104 KiB, 2 over 19,456, 3 over 12,288."),
  section("passwords.breached", "BreachedPasswordsOptions", "How stolen passwords are recognised."),
  section("apiKeys", "ApiKeysOptions", "[API keys](../api-keys.md). `apiKeys` takes `scopes` as well: those that users may give to their keys."),
  section("tokens", "TokensOptions", "[Access and refresh tokens](../access-and-refresh-tokens.md)."),
  section("tokens.keys", "SigningKey", "A key of the application's own."),
  section("audit", "AuditOptions", "[Events kept in the store](../events.md)."),
  section("requireAuth", "RequireAuthOptions", "[Guards](../guards.md). `apiKeyGuard` takes `scope`, `roles` and `onRefused`, `requireRole(roles, options)` all but `roles`."),
  section("accessTokenGuard", "AccessTokenGuardOptions", "A guard for an API that is no latchkey application."),
  section("csrf", "CsrfOptions", "[CSRF](../csrf-and-rate-limits.md)."),
  section("rateLimit", "RateLimitOptions", "[Limits](../csrf-and-rate-limits.md)."),
  section("redisStore", "RedisStoreOptions", "[Redis](../redis.md)."),
  section("redisStore.signed", "SignedOptions", "Signed records."),
  section("postgresStore", "PostgresStoreOptions", "[PostgreSQL](../sql.md)."),
  section("mysqlStore", "MysqlStoreOptions", "[MySQL and MariaDB](../sql.md)."),
  section("sqliteStore", "SqliteStoreOptions", "[SQLite](../sql.md)."),
  section("memoryStore", "MemoryStoreOptions", "For development and tests."),
  section("routed", "RoutedOptions", "[Two stores](../routed-store.md)."),
  section("encrypted", "StoreKeys", "[Encryption](../encrypted-store.md); `encrypted`, `reencrypt` and `checkKeys` take these."),
  section("encrypted, further", "EncryptedOptions", "Beside `keys` and `indexKey`."),
  section("reencrypt", "ReencryptOptions", "Beside `keys` and `indexKey`."),
  section("cached", "CachedOptions", "[A cache](../cached-store.md)."),
  section("resendTransport", "ResendTransportOptions", "[Mail](../email.md) by Resend."),
  section("smtpTransport", "SmtpTransportOptions", "Mail by SMTP."),
  section("httpTransport", "HttpTransportOptions", "Mail by a webhook or a mail API."),
  section("consoleTransport", "ConsoleTransportOptions", "Mail to the console."),
  section("providers", "OAuthClientOptions", "What [providers](../providers.md) have in common."),
  section("migrateExpressSession", "MigrateExpressSessionOptions", "Coming from express-session."),
  section("expressSessionStore", "ExpressSessionStoreOptions", "Keeping express-session."),
  section("importBetterAuth", "ImportBetterAuthOptions", "[Coming from better-auth](../from-better-auth.md)."),
  section("openTelemetry", "OpenTelemetryOptions", "[Traces and metrics](../events.md)."),
  section("createClient", "ClientOptions", "[The client](../client.md)."),
] as const; // prettier-ignore

/** The page of all options. */
export function optionsPage(sources: ReadonlyMap<string, string>): string {
  const parts = SECTIONS.map(({ title, says, name }) => `## ${title}\n\n${says}\n\n${optionsTable(name, sources)}`);
  return [
    "# Options",
    "",
    "What the factories of latchkey take, from the docstrings in the code. Durations are whole seconds, instants Unix milliseconds. An option",
    "that is unknown, misspelt or misshapen is refused at start by a `ConfigError` that names it and the fix.",
    "",
    parts.join("\n\n"),
  ].join("\n");
}

const MARKED = /(<!-- options (\w+) -->\n)[\s\S]*?(\n<!-- end -->)/g;

/** `page` with each of its tables between `<!-- options Name -->` and `<!-- end -->` made anew. */
export function withTables(page: string, sources: ReadonlyMap<string, string>): string {
  return page.replaceAll(MARKED, (_, head: string, name: string, tail: string) => `${head}\n${optionsTable(name, sources)}\n${tail}`);
}
