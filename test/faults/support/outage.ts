import { expect } from "vitest";
import { percentile, startLoad, took, type Answer, type Ask, type Load } from "./load.ts";
import type { FaultApp } from "./app.ts";

/** What people with a session each ask for, over and over. */
export interface Crowd extends Load {
  /** The user of each loop. */
  readonly users: readonly string[];
}

/** Of the answers to a guard: no slower than this for 99 of 100, and never slower than that, ms. */
const P99_MS = 1500;
const WORST_MS = 3000;

/** Service must be back so soon after the store is, ms. */
export const BACK_MS = 2000;

/** Signs in that many people, each of whom then asks for what is guarded and what is not. */
export async function startCrowd(app: FaultApp, people = 20): Promise<Crowd> {
  const users = Array.from({ length: people }, (_, index) => `user-${index}`);
  const cookies = await Promise.all(users.map((userId) => app.do("signIn", { userId })));
  const asks = (cookie: string): Ask[] => [
    { name: "guarded", path: "/guarded", headers: { cookie } },
    { name: "guarded", path: "/guarded", headers: { cookie } },
    { name: "public", path: "/public", headers: { cookie } },
    { name: "bare", path: "/bare", headers: { cookie } },
  ];
  return { users, ...startLoad(app.url, cookies.map(asks)) };
}

/** Those that were asked after `from` and answered before `to`. */
export function within(answers: readonly Answer[], from: number, to = Infinity): Answer[] {
  return answers.filter(({ startedAt, endedAt }) => startedAt >= from && endedAt <= to);
}

export function named(answers: readonly Answer[], name: string): Answer[] {
  return answers.filter((answer) => answer.name === name);
}

export function statuses(answers: readonly Answer[]): number[] {
  return [...new Set(answers.map(({ status }) => status))].sort((a, b) => a - b);
}

/** What holds at every moment, whether the store is there or not. */
export function expectFailsClosed(answers: readonly Answer[], users: readonly string[]): void {
  const wrong = answers.filter((answer) => complaint(answer, users[answer.loop] ?? "") !== null);
  expect(wrong.slice(0, 3).map((answer) => [answer.name, answer.status, answer.body, complaint(answer, users[answer.loop] ?? "")])).toEqual(
    [],
  );
  for (const name of ["guarded", "public"]) {
    expect(percentile(named(answers, name), 0.99), `p99 of what is ${name}, ms`).toBeLessThanOrEqual(P99_MS);
    expect(Math.max(0, ...named(answers, name).map(took)), `the slowest of what is ${name}, ms`).toBeLessThanOrEqual(WORST_MS);
  }
  expect(percentile(named(answers, "bare"), 0.99), "p99 of what has nothing to do with us, ms").toBeLessThanOrEqual(P99_MS / 3);
}

/** What is wrong with an answer; `null` when nothing is. */
function complaint({ name, status, body, headers }: Answer, user: string): string | null {
  if (headers["set-cookie"]) return "touches a cookie";
  if (name !== "guarded") {
    if (status !== 200) return "is public";
    if (name === "bare") return null;
    const { kind, userId, failure } = JSON.parse(body) as { kind: string; userId: string | null; failure: string | null };
    if (kind === "session") return userId === user ? null : "is another user's";
    return kind === "anonymous" && userId === null && failure === "storage_unavailable" ? null : "does not name the outage";
  }
  if (status === 200) return (JSON.parse(body) as { userId: string }).userId === user ? null : "is another user's";
  if (status !== 503) return "says that nobody is signed in, which nobody knows";
  return outageProblem(headers, body);
}

/** What is wrong with a 503; `null` when nothing is. */
export function outageProblem(headers: Answer["headers"], body: string): string | null {
  if (headers["set-cookie"]) return "touches a cookie";
  if (!/^[1-9]\d*$/.test(headers["retry-after"] ?? "")) return "has no Retry-After";
  if (!headers["content-type"]?.startsWith("application/problem+json")) return "is no problem document";
  if (headers["cache-control"] !== "no-store") return "may be cached";
  const { code, detail } = JSON.parse(body) as { code: string; detail: string };
  if (code !== "storage_unavailable") return "does not name the outage";
  return /redis|postgres|mysql|maria|sql|\d+\.\d+\.\d+\.\d+|\bECONN|stack/i.test(detail) ? "tells of our insides" : null;
}

/** That the service came back within {@link BACK_MS} of `since`, and stayed. */
export function expectBack(answers: readonly Answer[], since: number): void {
  const first = named(answers, "guarded").find(({ startedAt, status }) => startedAt >= since && status === 200);
  expect(first && first.endedAt - since, "ms until the first answer").toBeLessThanOrEqual(BACK_MS);
  const later = named(within(answers, since + BACK_MS), "guarded");
  expect(later.length).toBeGreaterThan(100);
  expect(statuses(later)).toEqual([200]);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
