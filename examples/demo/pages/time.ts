import { html, type Html } from "../html.ts";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;

/** An instant (Unix ms) as people say it: `5 minutes ago`, `in 30 days`. */
export function time(at: number): Html {
  const distance = at - Date.now();
  const [unit, length] = UNITS.find(([, length]) => Math.abs(distance) >= length) ?? [null, 1];
  const words = unit ? relative.format(Math.round(distance / length), unit) : "just now";
  const exact = new Date(at).toISOString();
  return html`<time datetime="${exact}" title="${exact}">${words}</time>`;
}
