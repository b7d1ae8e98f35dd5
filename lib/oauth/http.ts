import type { CustomFetch } from "openid-client";
import { ProviderError } from "../errors.ts";
import { readBounded, type Fetch } from "../fetch.ts";
import { isLoopback } from "../loopback.ts";

export type { Fetch } from "../fetch.ts";

/** Where requests to a provider may go, and how much they may cost. */
export interface ProviderHttp {
  readonly fetch: Fetch;
  /** Beyond https: http to loopback hosts, or (`all`) to any. */
  readonly plainHttp: "none" | "loopback" | "all";
  /** Seconds for one request, the reply's body included. Default: 5. */
  readonly timeout?: number;
  /** The most a reply may hold, in bytes. Default: 1 MB. */
  readonly maxBytes?: number;
  /** Shared by all requests to one provider, so that one that hangs holds so many connections and no more. Default: no bound. */
  readonly lanes?: Lanes;
}

/** Room for so many at a time. */
export interface Lanes {
  /** Resolves when there is room, to what makes room again; rejects with the signal's reason when that comes first. */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** Lanes for `width` at a time; who comes later waits in line. */
export function createLanes(width: number): Lanes {
  let taken = 0;
  const waiting = new Set<() => void>();

  const leave = () => {
    const [next] = waiting;
    if (!next) return void (taken -= 1);
    waiting.delete(next);
    next();
  };

  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (taken < width) taken += 1;
      else
        await new Promise<void>((resolve, reject) => {
          const abort = () => {
            waiting.delete(admit);
            reject(signal.reason as Error);
          };
          const admit = () => {
            signal.removeEventListener("abort", abort);
            resolve();
          };
          waiting.add(admit);
          signal.addEventListener("abort", abort, { once: true });
        });
      let left = false;
      return () => {
        if (!left) leave();
        left = true;
      };
    },
  };
}

/**
 * A `fetch` for talking to providers: https, no redirects followed, bounded in time and size. openid-client takes it as its `customFetch`.
 * Rejects with a `ProviderError`: `provider_unavailable` when it took too long or nobody answered, `invalid_provider_response` otherwise.
 */
export function providerFetch({ fetch, plainHttp, timeout = 5, maxBytes = 1024 * 1024, lanes }: ProviderHttp): CustomFetch {
  return async function boundedFetch(url, { body, headers, method, signal }) {
    assertProtocol(url, plainHttp);
    const deadline = AbortSignal.timeout(timeout * 1000);
    const limits = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const init: RequestInit = {
      method,
      headers,
      redirect: "manual",
      signal: limits,
      body: body === undefined ? null : (body as NonNullable<RequestInit["body"]>),
    };
    let leave: (() => void) | undefined;
    try {
      leave = await lanes?.enter(limits);
      const response = await withinLimits(fetch(url, init), limits);
      if (response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        throw new ProviderError("invalid_provider_response", "The provider redirects where it must not");
      }
      const bytes = await withinLimits(readBounded(response, maxBytes), limits);
      if (!bytes) throw new ProviderError("invalid_provider_response", "The provider's answer is too large");
      return new Response(bytes.length === 0 ? null : bytes, { status: response.status, headers: response.headers });
    } catch (cause) {
      if (cause instanceof ProviderError) throw cause;
      throw new ProviderError(
        "provider_unavailable",
        limits.aborted ? "The provider took too long to answer" : "The provider cannot be reached",
        {
          cause,
        },
      );
    } finally {
      leave?.();
    }
  };
}

/** @throws {ProviderError} `invalid_provider_response`, unless `url` may be gone to: by us, or by a browser that we send. */
export function assertProtocol(url: string, plainHttp: ProviderHttp["plainHttp"]): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === "https:") return;
  if (protocol === "http:" && (plainHttp === "all" || (plainHttp === "loopback" && isLoopback(hostname)))) return;
  throw new ProviderError("invalid_provider_response", "The provider names an address that is not https");
}

/** Holds even for a `fetch` that minds no signal. */
async function withinLimits<T>(work: Promise<T>, limits: AbortSignal): Promise<T> {
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(limits.reason as Error);
    if (limits.aborted) abort();
    else limits.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (abort) limits.removeEventListener("abort", abort);
  }
}
