import type { Redis } from "ioredis";
import { clockFindings, NOT_DURABLE, type Finding } from "../../storage/finding.ts";
import type { Commands } from "./commands.ts";

/** What an operator should know of each master: whether it may drop records, forget them, or has a clock that is off. Four commands each. */
export async function inspectRedis(commands: Commands, now: () => number): Promise<readonly Finding[]> {
  const masters = commands.masters();
  const each = await Promise.all(
    masters.map(({ name, node }) => inspectMaster(commands, node, name === "" ? "Redis" : `Redis ${name}`, now)),
  );
  return each.flat();
}

async function inspectMaster(commands: Commands, node: Redis, name: string, now: () => number): Promise<Finding[]> {
  const before = now();
  const time = await commands.read(
    () => node.time(),
    ([seconds, micros]) => Number(seconds) * 1000 + Math.floor(Number(micros) / 1000),
  );
  const skew = clockFindings(name, time, { before, after: now() });
  // Hosted servers forbid some of it to some users.
  const info = await commands.read(() => node.info(), readInfo).catch(() => null);
  if (!info) {
    const message = `${name} does not let this user see INFO: eviction, persistence and replicas were not looked at`;
    return [{ code: "redis_info_denied", level: "note", message, fix: "allow it INFO, or look at the host's own settings" }, ...skew];
  }
  const save = await commands
    .read(
      () => node.config("GET", "save"),
      (reply) => (Array.isArray(reply) ? String(reply[1] ?? "") : null),
    )
    .catch(() => null);
  return [...evictionFindings(name, info), ...persistenceFindings(name, info, save), ...replicaFindings(name, info), ...skew];
}

type Info = ReadonlyMap<string, string>;

/** @see https://redis.io/docs/latest/commands/info/ */
function readInfo(text: string): Info {
  return new Map(
    text.split("\r\n").flatMap((line) => {
      const colon = line.indexOf(":");
      return line.startsWith("#") || colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
}

function evictionFindings(name: string, info: Info): Finding[] {
  const findings: Finding[] = [];
  const policy = info.get("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction") {
    const any = policy.startsWith("allkeys");
    const lost = any ? "drops any record, users too," : "drops sessions and codes";
    findings.push({
      code: "redis_eviction",
      level: any ? "problem" : "warning",
      message: `${name} ${lost} when memory is full (maxmemory-policy ${policy})`,
      fix: "set maxmemory-policy noeviction, and room for it in maxmemory",
    });
  }
  const evicted = Number(info.get("evicted_keys") ?? 0);
  if (evicted > 0) {
    const message = `${name} has dropped ${evicted} keys for want of memory since it started`;
    findings.push({ code: "redis_evicted", level: "problem", message, fix: "raise maxmemory, and set maxmemory-policy noeviction" });
  }
  return findings;
}

/** @param save the setting of that name; `null`: not to be seen. */
function persistenceFindings(name: string, info: Info, save: string | null): Finding[] {
  const findings: Finding[] = [];
  if (info.get("aof_enabled") === "0" && save === "") {
    const message = `${name} keeps nothing on disk: a restart forgets every record in it`;
    findings.push({ code: NOT_DURABLE, level: "problem", message, fix: "set appendonly yes" });
  } else if (info.get("aof_enabled") === "0") {
    const message = `${name} ${save === null ? "has at most" : "has"} snapshots on disk: after a crash what was ended since the last one is back`;
    findings.push({ code: "redis_snapshots", level: "warning", message, fix: "set appendonly yes" });
  }
  const failing = [
    info.get("rdb_last_bgsave_status") === "err" ? "its last snapshot" : "",
    info.get("aof_enabled") === "1" && info.get("aof_last_write_status") === "err" ? "its last write to the append-only file" : "",
  ].filter(Boolean);
  if (failing.length > 0) {
    const message = `${name} failed at ${failing.join(" and ")}`;
    findings.push({ code: "redis_disk", level: "problem", message, fix: "see its log: the disk may be full, or not its own to write" });
  }
  return findings;
}

function replicaFindings(name: string, info: Info): Finding[] {
  if (info.get("role") !== "master" || info.get("connected_slaves") !== "0") return [];
  const message = `${name} has no replica: when it is lost, so is what it has`;
  return [{ code: "redis_no_replica", level: "warning", message, fix: "give it a replica, with sentinels or in a Cluster" }];
}
