import { createHash } from "node:crypto";

/** A Lua program, and the name that Redis knows it by once it has run. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
  readonly changes: "records" | "nothing";
}

/** A script that changes records. */
export function script(lua: string): Script {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex"), changes: "records" };
}

/** A script that may run twice, since it changes nothing. */
export function readingScript(lua: string): Script {
  return { ...script(lua), changes: "nothing" };
}

/** Whether Redis has forgotten a script: a flush, a restart, a failover, a node that never ran it. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}
