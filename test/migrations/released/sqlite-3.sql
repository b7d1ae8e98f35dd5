create table if not exists "latchkey_provider_sessions" ("seq" integer primary key autoincrement, "partition" blob not null, "id" blob not null, "version" integer not null, "expires_at" bigint, "value" blob not null, constraint "key" unique ("partition", "id"));
create index if not exists "latchkey_provider_sessions_expires_at" on "latchkey_provider_sessions" ("expires_at");
create table if not exists "latchkey_logout_tokens" ("seq" integer primary key autoincrement, "partition" blob not null, "id" blob not null, "version" integer not null, "expires_at" bigint, "value" blob not null, constraint "key" unique ("partition", "id"));
create index if not exists "latchkey_logout_tokens_expires_at" on "latchkey_logout_tokens" ("expires_at");
