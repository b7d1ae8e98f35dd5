import { auditedEvents } from "../../lib/core/audit-options.ts";
import { cell, membersOf } from "./interfaces.ts";

/** The page of all events. */
export function eventsPage(sources: ReadonlyMap<string, string>): string {
  const kept = new Set<string>(auditedEvents);
  const rows = membersOf("EventDetails", sources).map(({ name, type, doc }) => {
    const details = type.startsWith("Record<never") ? "" : `\`${cell(type.replace(/^\{ | ?;? ?\}$/g, ""))}\``;
    return `| \`${name}\` | ${details} | ${cell(doc)} | ${kept.has(name) ? "yes" : ""} |`;
  });
  const reasons = /type RevocationReason =([^;]+);/.exec(
    [...sources.values()].find((text) => text.includes("type RevocationReason =")) ?? "",
  );
  const words = [...(reasons?.[1] ?? "").matchAll(/"(\w+)"/g)].map(([, word]) => `\`${word}\``);
  return [
    "# Events",
    "",
    "Every event there is: the catalogue is closed. How to listen, keep and count them: [events](../events.md).",
    "",
    "Each has `type`, `at` (Unix ms), `userId`, `tenantId` and `source` (`{ ip, userAgent }`), each of the last three `null` where it is unknown, and",
    "`details`. None carries a secret. **Audited** are those that `createAuth({ audit: true })` keeps.",
    "",
    "| Event | Details | When | Audited |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
    `The \`reason\` of \`session.revoked\` is one of ${words.join(", ")}.`,
  ].join("\n");
}
