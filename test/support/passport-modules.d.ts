/** Two of Passport's most used strategies, as far as the tests use them: they have no types of their own. */
interface PassportOAuth2Options {
  clientID: string;
  clientSecret: string;
  callbackURL: string;
  authorizationURL: string;
  tokenURL: string;
  userProfileURL: string;
  userEmailURL?: string;
  scope?: string[];
  state?: boolean;
  pkce?: boolean;
  allRawEmails?: boolean;
}

type PassportVerify = (
  accessToken: string,
  refreshToken: string,
  params: unknown,
  profile: unknown,
  done: (error?: unknown, user?: never) => void,
) => void;

declare module "passport-github2" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options, verify: PassportVerify);
  }
}

declare module "passport-google-oauth20" {
  import passport from "passport";
  export class Strategy extends passport.Strategy {
    constructor(options: PassportOAuth2Options, verify: PassportVerify);
  }
}
