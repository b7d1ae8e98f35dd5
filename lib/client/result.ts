import type { Operations } from "./operations.ts";

/** What became of a call: `data`, or an `error`. Nothing is thrown for what a server says or a network does. */
export type Result<Name extends keyof Operations> =
  | { readonly data: Operations[Name]["output"]; readonly error?: undefined }
  | { readonly data?: undefined; readonly error: ClientError<Operations[Name]["code"]> };

/** Why a call did not do what it was for. */
export interface ClientError<Code extends string = string> {
  /** Stable: branch on it. Beside those of the API: what only the caller can know. */
  readonly code: Code | ClientCode;
  /** Of the answer; 0 when there was none. */
  readonly status: number;
  /** For people. */
  readonly detail: string;
  /** Seconds after which to try again, when the server says so. */
  readonly retryAfter: number | null;
}

/**
 * `network_error`: no answer. `aborted`: the caller's own signal. `unexpected_response`: an answer that is not this API's, such as the
 * page of a proxy.
 */
export type ClientCode = "network_error" | "aborted" | "unexpected_response";

/** Reads an answer of the API; a problem document becomes an error. */
export async function resultOf<Name extends keyof Operations>(response: Response): Promise<Result<Name>> {
  const body = (await response.json().catch(() => null)) as { code?: unknown; detail?: unknown } | null;
  if (response.ok && body !== null) return { data: body as unknown as Operations[Name]["output"] };
  const isProblem = !response.ok && typeof body?.code === "string";
  return {
    error: {
      code: isProblem ? (body.code as Operations[Name]["code"]) : "unexpected_response",
      status: response.status,
      detail:
        isProblem && typeof body.detail === "string"
          ? body.detail
          : `The server answered ${response.status}, which is no answer of this API`,
      retryAfter: secondsOf(response.headers.get("retry-after")),
    },
  };
}

/** For what `fetch` rejects with. */
export function failureOf(cause: unknown, signal: AbortSignal | null | undefined): { readonly error: ClientError<never> } {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return { error: { code: signal?.aborted ? "aborted" : "network_error", status: 0, detail, retryAfter: null } };
}

function secondsOf(header: string | null): number | null {
  return header !== null && /^\d{1,9}$/.test(header) ? Number(header) : null;
}
