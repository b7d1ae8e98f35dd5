import { sql, type Compilable, type RawBuilder } from "kysely";
import type { SqlValue, Statement } from "./program.ts";

/** A statement whose values are still to be given, by name. */
export type Template = (values?: Readonly<Record<string, SqlValue>>) => Statement;

/** Stands in a query for a value that is given each time it is sent. */
export function param<T>(name: string): RawBuilder<T> {
  return sql<T>`${{ param: name }}`;
}

/** Compiles a query once, for all the times it is sent. `reads`: whether it answers with rows. */
export function template(query: Compilable, reads = false): Template {
  const { sql: text, parameters } = query.compile();
  const slots = parameters.map((value) => (isParam(value) ? value : { fixed: value as SqlValue }));
  return (values = {}) => ({
    sql: text,
    reads,
    values: slots.map((slot) => {
      if ("fixed" in slot) return slot.fixed;
      const value = values[slot.param];
      if (value === undefined) throw new TypeError(`a statement was sent without its value "${slot.param}"`);
      return value;
    }),
  });
}

function isParam(value: unknown): value is { readonly param: string } {
  return typeof value === "object" && value !== null && "param" in value;
}
