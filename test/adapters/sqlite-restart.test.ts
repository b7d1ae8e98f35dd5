import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import request from "supertest";
import { afterAll, expect, it } from "vitest";
import { sqliteStore } from "../../lib/adapters/sqlite/index.ts";
import { requireAuth } from "../../lib/index.ts";
import { createTestClock } from "../../lib/testing/clock.ts";
import { startApp } from "../support/app.ts";

const dir = mkdtempSync(join(tmpdir(), "latchkey-sqlite-"));
afterAll(() => rmSync(dir, { recursive: true }));

it("somebody who signed in by a mailed code is still signed in when the application was restarted, and out when signed out", async () => {
  const clock = createTestClock();
  const start = async () => {
    const store = sqliteStore({ path: join(dir, "auth.db"), clock });
    await store.migrate();
    return startApp({ store, clock, routes: (app) => app.get("/me", requireAuth({ user: true }), (req, res) => void res.json(req.user)) });
  };
  const headers = { "sec-fetch-site": "same-origin" };

  const first = await start();
  const browser = request.agent(first.server).set(headers);
  await browser.post("/auth/magic/send").send({ email: "ada@example.com" }).expect(200);
  const code = await first.mailbox.waitForCode("ada@example.com");
  const signedIn = await browser.post("/auth/magic/verify").send({ code }).expect(200);
  const cookie = [signedIn.headers["set-cookie"] ?? []]
    .flat()
    .map((each) => each.split(";")[0])
    .join("; ");
  await first.close();

  const second = await start();
  const ask = (path: string) =>
    request(second.server)
      .get(path)
      .set({ ...headers, cookie });
  expect((await ask("/me").expect(200)).body).toMatchObject({ email: "ada@example.com" });
  await request(second.server)
    .post("/auth/magic/verify")
    .set({ ...headers, cookie })
    .send({ code })
    .expect(401);
  await second.auth.sessions.revokeAll(signedIn.body.user.id);
  await second.close();

  const third = await start();
  await request(third.server)
    .get("/me")
    .set({ ...headers, cookie })
    .expect(401);
  await third.close();
});
