/** Some of Passport's most used strategies, as far as the tests use them: they have no types of their own. */
interface PassportOAuth2Options {
  clientID: string;
  clientSecret: string;
  callbackURL: string;
  authorizationURL?: string;
  tokenURL?: string;
  userProfileURL?: string;
  scope?: string[];
  state?: boolean;
  pkce?: boolean;
  passReqToCallback?: boolean;
}

/** What a verify function takes differs by package and by how many parameters it has. The last one is always `done`. */
type PassportVerify = (...args: never[]) => unknown;

declare module "passport-github2" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options & { userEmailURL?: string; allRawEmails?: boolean }, verify: PassportVerify);
  }
}

declare module "passport-google-oauth20" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options, verify: PassportVerify);
  }
}

declare module "passport-facebook" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options & { profileURL?: string; profileFields?: string[] }, verify: PassportVerify);
  }
}

declare module "passport-discord" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options, verify: PassportVerify);
  }
}

declare module "passport-spotify" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options, verify: PassportVerify);
  }
}

declare module "passport-microsoft" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options & { apiEntryPoint?: string; tenant?: string }, verify: PassportVerify);
  }
}

declare module "passport-openidconnect" {
  import passport from "passport";
  export interface StrategyOptions {
    issuer: string;
    authorizationURL: string;
    tokenURL: string;
    userInfoURL: string;
    clientID: string;
    clientSecret: string;
    callbackURL: string;
    scope?: string[];
    skipUserProfile?: boolean;
    nonce?: boolean;
    passReqToCallback?: boolean;
  }
  export class Strategy extends passport.Strategy {
    constructor(options: StrategyOptions, verify: PassportVerify);
  }
}

declare module "passport-twitter" {
  import passport from "passport";
  export interface StrategyOptions {
    consumerKey: string;
    consumerSecret: string;
    callbackURL: string;
    requestTokenURL: string;
    accessTokenURL: string;
    userAuthorizationURL: string;
    userProfileURL: string;
    includeEmail?: boolean;
    passReqToCallback?: boolean;
  }
  export class Strategy extends passport.Strategy {
    constructor(options: StrategyOptions, verify: PassportVerify);
  }
}

declare module "passport-http-bearer" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(verify: PassportVerify);
    constructor(options: { passReqToCallback?: boolean; realm?: string }, verify: PassportVerify);
  }
}

declare module "passport-jwt" {
  import passport from "passport";
  type Extractor = (req: object) => string | null;
  export interface StrategyOptions {
    jwtFromRequest: Extractor;
    secretOrKey?: string;
    secretOrKeyProvider?: (req: object, token: string, done: (error: unknown, key?: string) => void) => unknown;
    issuer?: string;
    audience?: string;
    algorithms?: string[];
    passReqToCallback?: boolean;
  }
  export class Strategy extends passport.Strategy {
    constructor(options: StrategyOptions, verify: PassportVerify);
  }
  export const ExtractJwt: {
    fromAuthHeaderAsBearerToken(): Extractor;
    fromBodyField(name: string): Extractor;
    fromUrlQueryParameter(name: string): Extractor;
  };
}
