create table if not exists "latchkey_audit" ("seq" bigint generated always as identity not null unique, "id" bytea not null, "version" integer not null, "expires_at" bigint, "value" bytea not null, "by_all" bytea, "by_tenant_id" bytea, "by_user_id" bytea, constraint "latchkey_audit_key" primary key ("id"));
create index if not exists "latchkey_audit_expires_at" on "latchkey_audit" ("expires_at");
create index if not exists "latchkey_audit_by_all" on "latchkey_audit" ("by_all", "id");
create index if not exists "latchkey_audit_by_tenant_id" on "latchkey_audit" ("by_tenant_id", "id");
create index if not exists "latchkey_audit_by_user_id" on "latchkey_audit" ("by_user_id", "id");
