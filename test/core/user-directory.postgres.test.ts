import express from "express";
import type pg from "pg";
import { afterAll, beforeAll, describe, it, vi } from "vitest";
import type { UserStore } from "../../lib/core/users.ts";
import { userDirectoryConformance } from "../../lib/testing/index.ts";
import { openPostgres } from "../support/postgres.ts";

let users: UserStore;
let pool: pg.Pool;
let stop: () => Promise<unknown>;

beforeAll(async () => {
  const server = await openPostgres();
  stop = () => server.stop();
  vi.stubEnv("DATABASE_URL", server.url);
  vi.spyOn(express.application, "listen").mockReturnValue({} as never);
  const example = await import("../../examples/app-users.ts");
  ({ users, pool } = example);
  await pool.query(example.table);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await pool.query("drop table people");
  await pool.end();
  await stop();
});

userDirectoryConformance(
  "the example's table in PostgreSQL",
  async () => {
    await pool.query("truncate people");
    return users;
  },
  { describe, it },
);
