import { IncomingMessage } from "node:http";
import type { Request } from "express";

/**
 * Keeps something about a request, for as long as the request lasts. It rests in `res.locals`, by a symbol: Express gives every request a
 * prototype of its own making, after which each property added to the request itself costs V8 a hidden class that no other request shares
 * and garbage of long life, some 3 % of a small request each; `res.locals` is a dictionary, where one more costs next to nothing.
 */
export function keep({ res }: Request, key: symbol, value: unknown): void {
  if (!res) throw new TypeError("The request has no response: it did not come through Express");
  const locals = (res.locals ??= {}) as Record<symbol, unknown>;
  locals[key] = value;
}

/** What was kept by {@link keep}; `undefined` where nothing was. */
export function kept({ res }: Request, key: symbol): unknown {
  return (res?.locals as Record<symbol, unknown> | undefined)?.[key];
}

const context: unique symbol = Symbol("latchkey.auth");
const exposed: unique symbol = Symbol("latchkey.exposed");

/**
 * Makes `req.auth` a place to keep the context of a request: an accessor of the prototype that Express has for all requests, or of this one
 * where it has none, or another's `auth` stands there. To be called before the first context is set.
 */
export function exposeAuth(req: Request): void {
  if ((req as { [exposed]?: true })[exposed]) return;
  const shared = expressPrototype(req);
  Object.defineProperties(shared && !("auth" in shared) ? shared : req, {
    [exposed]: { value: true },
    auth: {
      configurable: true,
      enumerable: true,
      get(this: Request) {
        return kept(this, context);
      },
      set(this: Request, value: unknown) {
        keep(this, context, value);
      },
    },
  });
}

/** What Express adds to all requests, those of mounted applications too; `null` for a request that did not come through Express. */
function expressPrototype(req: Request): object | null {
  let found: object | null = null;
  for (let next = above(req); next && next !== IncomingMessage.prototype; next = above(next)) found = next;
  return found;
}

function above(object: object): object | null {
  return Object.getPrototypeOf(object) as object | null;
}
