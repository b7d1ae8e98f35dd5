import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { openPostgres } from "../support/postgres.ts";
import { fixture, importExpectations } from "./import-expectations.ts";

const SCHEMA = "better_auth_fixture";

let url: string;
let end: () => Promise<unknown>;

beforeAll(async () => {
  const server = await openPostgres();
  const client = new pg.Client(server.url);
  await client.connect();
  await client.query(
    `drop schema if exists ${SCHEMA} cascade; create schema ${SCHEMA}; set search_path to ${SCHEMA}; ${fixture("postgres")}`,
  );
  const source = new URL(server.url);
  source.searchParams.set("options", `-c search_path=${SCHEMA}`);
  url = source.href;
  end = async () => {
    await client.query(`drop schema ${SCHEMA} cascade`);
    await client.end();
    await server.stop();
  };
});

afterAll(() => end());

importExpectations("PostgreSQL", () => url);
