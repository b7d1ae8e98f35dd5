create table if not exists `latchkey_audit` (`seq` bigint not null unique auto_increment, `id` varbinary(1024) not null, `version` integer not null, `expires_at` bigint, `value` longblob not null, `by_all` varbinary(1024), `by_tenant_id` varbinary(1024), `by_user_id` varbinary(1024), constraint `latchkey_audit_key` primary key (`id`));
create index `latchkey_audit_expires_at` on `latchkey_audit` (`expires_at`);
create index `latchkey_audit_by_all` on `latchkey_audit` (`by_all`, `id`);
create index `latchkey_audit_by_tenant_id` on `latchkey_audit` (`by_tenant_id`, `id`);
create index `latchkey_audit_by_user_id` on `latchkey_audit` (`by_user_id`, `id`);
