create table if not exists "latchkey_audit" ("seq" integer primary key autoincrement, "id" blob not null, "version" integer not null, "expires_at" bigint, "value" blob not null, "by_all" blob, "by_tenant_id" blob, "by_user_id" blob, constraint "key" unique ("id"));
create index if not exists "latchkey_audit_expires_at" on "latchkey_audit" ("expires_at");
create index if not exists "latchkey_audit_by_all" on "latchkey_audit" ("by_all", "id");
create index if not exists "latchkey_audit_by_tenant_id" on "latchkey_audit" ("by_tenant_id", "id");
create index if not exists "latchkey_audit_by_user_id" on "latchkey_audit" ("by_user_id", "id");
