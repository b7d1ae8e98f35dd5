import type { IncomingMessage } from "node:http";
import type { NextFunction, RequestHandler, Response } from "express";
import type { AuthContext, SignedInContext } from "../core/context.ts";
import type { User } from "../core/users.ts";

/** Marks, in the type of `res.locals`, what a guard let through. It exists in types only. */
declare const passed: unique symbol;

/** The mark of a guard behind which `req.auth` is a `Context`. */
export interface Passed<Context extends AuthContext = SignedInContext> {
  readonly [passed]: Context;
}

/** `req.auth` behind a guard, or anywhere else. */
export type AuthBehind<Locals> = Locals extends Passed<infer Context> ? Context : AuthContext;

/**
 * A middleware behind which `req.auth` is a `Context`, in the handlers that follow it directly behind the path;
 * anywhere else `signedIn(req)` gives the narrowed context.
 */
export type Guard<Context extends AuthContext = SignedInContext> = RequestHandler &
  ((req: IncomingMessage, res: Response<unknown, Passed<Context> & Record<string, unknown>>, next: NextFunction) => void);

declare module "express-serve-static-core" {
  // The parameters must have the names Express gives them; without their defaults, this merges all the same.
  interface Request<P, ResBody, ReqBody, ReqQuery, LocalsObj> {
    /** Who makes this request, as far as it proved it. Set by `app.use(auth)`. */
    auth: AuthBehind<LocalsObj>;
  }
}

declare global {
  namespace Express {
    // Merges with what Passport's types declare. A strategy's own user may be no more than an id.
    interface User extends Pick<LatchkeyUser, "id">, Partial<Omit<LatchkeyUser, "id">> {}
    interface Request {
      /** The user, where it was asked for. */
      user?: User | undefined;
    }
  }
}

type LatchkeyUser = User;
