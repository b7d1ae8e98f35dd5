import { performance } from "node:perf_hooks";
import type { Redis } from "ioredis";
import { createKeys } from "../lib/adapters/redis/keys.ts";
import { sessionCollection } from "../lib/core/session-record.ts";
import { ownerTag } from "../lib/crypto/hash.ts";
import { startApp } from "./app-process.ts";
import { countCommands } from "./commands.ts";
import { latchkey } from "./contenders.ts";
import { median } from "./duel.ts";
import { ask, wireRequest } from "./load.ts";

/** How long it takes to end all sessions of one user: over HTTP, ms, the median and the slowest. */
export interface Endings {
  readonly one: readonly [median: number, slowest: number];
  readonly many: readonly [median: number, slowest: number];
  /** What Redis is asked to end one, and ten thousand. */
  readonly commands: readonly [one: string, many: string];
}

export const MANY = 10_000;
/** Sessions that a script copies at once, so that none runs long. */
const BATCH = 20_000;

/**
 * Copies a session as the store wrote it. KEYS: its hash. ARGV: its field; what stands before and behind the owner's tag in keys, both
 * empty for copies in the hash itself; how many hashes; how many copies in each; what makes this call's names differ from another's.
 */
const COPY = `
local raw, life = redis.call('HGET', KEYS[1], ARGV[1]), redis.call('PTTL', KEYS[1])
for owner = 1, tonumber(ARGV[4]) do
  local key = KEYS[1]
  if ARGV[2] ~= '' then key = ARGV[2] .. string.sub(redis.sha1hex(ARGV[6] .. owner), 1, 22) .. ARGV[3] end
  for copy = 1, tonumber(ARGV[5]) do redis.call('HSET', key, string.sub(redis.sha1hex(ARGV[6] .. owner .. '/' .. copy), 1, 22), raw) end
  redis.call('PEXPIRE', key, life)
end
`;

/** Ends one session, then ten thousand, by turns, in a store with `others` more of other users. */
export async function timeEndings(redis: Redis, url: string, others: number, repeats: number): Promise<Endings> {
  await redis.flushall();
  const app = await startApp(latchkey, url);
  const post = async (path: string) => {
    const [answer] = await ask(app.port, [wireRequest("POST", path)]);
    if (answer?.status !== 200) throw new Error(`${path} was answered ${answer?.status}`);
  };
  const keys = createKeys("lk:");
  const signIn = async (user: string) => {
    await post(`/session?user=${user}`);
    const key = keys.partition(sessionCollection, ownerTag(user));
    const [field] = await redis.hkeys(key);
    if (!field) throw new Error("The session is not where it was looked for");
    return { key, field };
  };

  const { key, field } = await signIn("somebody-else");
  const [before = "", after = ""] = key.split(ownerTag("somebody-else"));
  for (let made = 0; made < others; made += BATCH) await redis.eval(COPY, 1, key, field, before, after, BATCH / 2, 2, made);

  const end = async (user: string, sessions: number, around = (ending: () => Promise<void>) => ending()) => {
    const own = await signIn(user);
    if (sessions > 1) await redis.eval(COPY, 1, own.key, own.field, "", "", 1, sessions - 1, user);
    if ((await redis.hlen(own.key)) !== sessions) throw new Error(`${user} has not ${sessions} sessions`);
    const start = performance.now();
    await around(() => post(`/end-all?user=${user}`));
    const took = performance.now() - start;
    if (await redis.exists(own.key)) throw new Error("Not all sessions were ended");
    return took;
  };
  const counted = async (user: string, sessions: number) => {
    let named = "";
    await end(user, sessions, async (ending) => void ({ named } = await countCommands(redis, 1, ending)));
    return named;
  };

  await end("warm-up", 1);
  await end("warm-up", MANY);
  const one: number[] = [];
  const many: number[] = [];
  for (let i = 0; i < repeats; i += 1) {
    one.push(await end(`user-${i}`, 1));
    many.push(await end(`user-${i}`, MANY));
  }
  const commands = [await counted("counted-1", 1), await counted("counted-2", MANY)] as const;
  await app.stop();
  await redis.flushall();
  return { one: [median(one), Math.max(...one)], many: [median(many), Math.max(...many)], commands };
}
