import { createConnection } from "mysql2/promise";
import { afterAll, beforeAll } from "vitest";
import { openMariadb } from "../support/mariadb.ts";
import { fixture, importExpectations } from "./import-expectations.ts";

const NAME = "better_auth_fixture";

let url: string;
let end: () => Promise<unknown>;

beforeAll(async () => {
  const server = await openMariadb();
  const connection = await createConnection({ uri: server.url, multipleStatements: true });
  await connection.query(
    `drop database if exists ${NAME}; create database ${NAME} character set utf8mb4; use ${NAME}; ${fixture("mysql")}`,
  );
  url = Object.assign(new URL(server.url), { pathname: `/${NAME}` }).href;
  end = async () => {
    await connection.query(`drop database ${NAME}`);
    await connection.end();
    await server.stop();
  };
});

afterAll(() => end());

importExpectations("MariaDB", () => url);
