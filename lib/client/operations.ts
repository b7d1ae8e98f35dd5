// Made from the API's description by scripts/client-operations.ts. Change the routes, and run that again.

/** Text of RFC 3339, in UTC: `2026-01-31T12:00:00.000Z`. */
export type Instant = string;

/** Every operation: what it takes, what it answers, and the codes with which it refuses. */
export interface Operations {
  /** The signed-in user. */
  meGet: {
    input: {};
    output: User;
    code:
      | CommonCode
      | "authentication_required"
      | "cross_site_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked"
      | "user_not_found";
  };
  /** Ends the session of this browser or client, which any of its credentials names, and clears its cookies. */
  signOut: {
    input: { return_to?: undefined | string; refresh_token?: undefined | string };
    output: SignedOut;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "refresh_token_reused"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** A guest session, for somebody not known: a cart, a draft. */
  guestCreate: {
    input: { transport?: undefined | "session" | "token" };
    output: GuestCreateAnswer;
    code:
      | CommonCode
      | "already_signed_in"
      | "body_too_large"
      | "cross_site_request"
      | "insecure_token_transport"
      | "invalid_request"
      | "rate_limited"
      | "session_data_too_large"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** Moves this session to a tenant the user is a member of; null leaves it. */
  tenantSelect: {
    input: { tenant_id: string | null };
    output: TenantSelectAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "not_a_member"
      | "session_not_found"
      | "session_revoked"
      | "session_rotated"
      | "unsupported_media_type";
  };
  /** Where this user is signed in. */
  sessionsList: {
    input: {};
    output: SessionsListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked";
  };
  /** Ends all sessions of this user but this one. */
  sessionsRevoke: {
    input: {};
    output: Success;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked"
      | "session_rotated"
      | "unsupported_media_type";
  };
  /** Ends one session of this user. */
  sessionRevoke: {
    input: { id: string };
    output: Success;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** Makes this session fresh: by the password, by a mailed code (without `code` one is sent), or by a round trip to a provider. */
  reauthenticate: {
    input: {
      error_to?: undefined | string;
      method: "magic_code" | "provider" | "password";
      password?: undefined | string;
      code?: undefined | string;
      request_id?: undefined | string;
      provider?: undefined | string;
      return_to?: undefined | string;
    };
    output: ReauthenticateAnswer;
    code:
      | CommonCode
      | "access_denied"
      | "account_already_linked"
      | "account_not_linked"
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_user_authentication"
      | "invalid_code"
      | "invalid_credentials"
      | "invalid_grant"
      | "invalid_identity"
      | "invalid_provider_response"
      | "invalid_request"
      | "invalid_token"
      | "login_required"
      | "method_not_available"
      | "no_email"
      | "password_disabled"
      | "provider_error"
      | "provider_not_found"
      | "provider_unavailable"
      | "rate_limited"
      | "reauthentication_unsupported"
      | "session_not_found"
      | "session_revoked"
      | "session_rotated"
      | "sign_in_refused"
      | "too_busy"
      | "transaction_not_found"
      | "unsupported_media_type"
      | "user_disabled"
      | "wrong_account"
      | "wrong_session";
  };
  /** The ways to sign in that begin with a link. */
  providersList: {
    input: {};
    output: ProvidersListAnswer;
    code: CommonCode | "invalid_request";
  };
  /** Sends the browser to a provider to sign in. Never links anything. */
  loginBegin: {
    input: {
      provider: string;
      return_to?: undefined | string;
      error_to?: undefined | string;
      login_hint?: undefined | string;
      prompt?: undefined | "login" | "consent" | "select_account" | "none";
    };
    output: LoginBeginAnswer;
    code:
      | CommonCode
      | "access_denied"
      | "account_already_linked"
      | "account_not_linked"
      | "insecure_token_transport"
      | "insufficient_user_authentication"
      | "invalid_grant"
      | "invalid_identity"
      | "invalid_provider_response"
      | "invalid_request"
      | "invalid_user_id"
      | "login_required"
      | "provider_error"
      | "provider_not_found"
      | "provider_unavailable"
      | "rate_limited"
      | "reauthentication_unsupported"
      | "session_data_too_large"
      | "session_revoked"
      | "sign_in_refused"
      | "transaction_not_found"
      | "user_disabled"
      | "user_not_found"
      | "wrong_account"
      | "wrong_session";
  };
  /** Signs in with a strategy that takes a form or a token, such as passport-local or passport-jwt. */
  loginSubmit: {
    input: { provider: string; [field: string]: string | undefined };
    output: LoginSubmitAnswer;
    code:
      | CommonCode
      | "access_denied"
      | "account_already_linked"
      | "account_not_linked"
      | "body_too_large"
      | "cross_site_request"
      | "insecure_token_transport"
      | "insufficient_user_authentication"
      | "invalid_grant"
      | "invalid_identity"
      | "invalid_provider_response"
      | "invalid_request"
      | "invalid_user_id"
      | "login_required"
      | "provider_error"
      | "provider_not_found"
      | "provider_unavailable"
      | "rate_limited"
      | "reauthentication_unsupported"
      | "session_data_too_large"
      | "session_revoked"
      | "sign_in_refused"
      | "transaction_not_found"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found"
      | "wrong_account"
      | "wrong_session";
  };
  /** Ends this session, and says where to send the browser to end the provider's behind it. */
  providerSignOut: {
    input: { return_to?: undefined | string };
    output: ProviderSignOutAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** The provider accounts linked to this user, without their tokens. */
  accountsList: {
    input: {};
    output: AccountsListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked";
  };
  /** Sends the browser to a provider to link that account to this user. */
  accountLink: {
    input: {
      provider: string;
      error_to?: undefined | string;
      return_to?: undefined | string;
      login_hint?: undefined | string;
      prompt?: undefined | "login" | "consent" | "select_account" | "none";
    };
    output: Onward;
    code:
      | CommonCode
      | "access_denied"
      | "account_already_linked"
      | "account_not_linked"
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_user_authentication"
      | "invalid_grant"
      | "invalid_identity"
      | "invalid_provider_response"
      | "invalid_request"
      | "invalid_token"
      | "login_required"
      | "provider_error"
      | "provider_not_found"
      | "provider_unavailable"
      | "reauthentication_unsupported"
      | "session_not_found"
      | "session_revoked"
      | "sign_in_refused"
      | "transaction_not_found"
      | "unsupported_media_type"
      | "wrong_account"
      | "wrong_session";
  };
  /** Renews the provider's tokens if they are about to end. They stay here; the answer says how long they last. */
  accountRefresh: {
    input: { provider: string };
    output: FreshToken;
    code:
      | CommonCode
      | "account_not_found"
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_grant"
      | "invalid_provider_response"
      | "invalid_request"
      | "invalid_token"
      | "no_refresh_token"
      | "provider_error"
      | "provider_unavailable"
      | "rate_limited"
      | "reconnect_needed"
      | "refresh_failed"
      | "refresh_unsupported"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** Unlinks a provider account; one way in always stays. */
  accountUnlink: {
    input: { id: string };
    output: Success;
    code:
      | CommonCode
      | "account_not_found"
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "last_way_in"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type"
      | "user_not_found";
  };
  /** Mails a code to an address, and with `link` a link that signs in as well, whether or not anybody is known by it. */
  magicSend: {
    input: {
      email: string;
      return_to?: undefined | string;
      link?: undefined | boolean | "true" | "false";
      link_return_to?: undefined | string;
    };
    output: CodeSent;
    code:
      | CommonCode
      | "body_too_large"
      | "cross_site_request"
      | "invalid_email"
      | "invalid_request"
      | "rate_limited"
      | "unsupported_media_type";
  };
  /** Signs in with a mailed code. */
  magicVerify: {
    input: {
      code: string;
      request_id?: undefined | string;
      email?: undefined | string;
      transport?: undefined | "session" | "token" | "bearer" | "cookie" | "split";
      return_to?: undefined | string;
    };
    output: SignedIn;
    code:
      | CommonCode
      | "body_too_large"
      | "cross_site_request"
      | "insecure_token_transport"
      | "invalid_code"
      | "invalid_email"
      | "invalid_request"
      | "invalid_user_id"
      | "rate_limited"
      | "session_data_too_large"
      | "session_revoked"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found";
  };
  /** Signs in by the token of a mailed link, and voids the code in the same mail. */
  magicLink: {
    input: { token: string; transport?: undefined | "session" | "token" | "bearer" | "cookie" | "split" };
    output: SignedIn;
    code:
      | CommonCode
      | "body_too_large"
      | "cross_site_request"
      | "insecure_token_transport"
      | "invalid_request"
      | "invalid_token"
      | "invalid_user_id"
      | "rate_limited"
      | "session_data_too_large"
      | "session_revoked"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found";
  };
  /** Makes a user with a password. Where the address has to be confirmed, a link is mailed and the answer is the same for everybody. */
  signUp: {
    input: {
      email: string;
      password: string;
      name?: undefined | string;
      transport?: undefined | "session" | "token" | "bearer" | "cookie" | "split";
      return_to?: undefined | string;
    };
    output: SignUpAnswer;
    code:
      | CommonCode
      | "body_too_large"
      | "breach_check_unavailable"
      | "cross_site_request"
      | "email_taken"
      | "insecure_token_transport"
      | "invalid_email"
      | "invalid_request"
      | "invalid_user_id"
      | "rate_limited"
      | "session_data_too_large"
      | "session_revoked"
      | "too_busy"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found"
      | "weak_password";
  };
  /** Signs in with an address and a password. */
  signIn: {
    input: {
      email: string;
      password: string;
      transport?: undefined | "session" | "token" | "bearer" | "cookie" | "split";
      return_to?: undefined | string;
    };
    output: SignedIn;
    code:
      | CommonCode
      | "body_too_large"
      | "cross_site_request"
      | "email_not_confirmed"
      | "insecure_token_transport"
      | "invalid_credentials"
      | "invalid_email"
      | "invalid_request"
      | "invalid_user_id"
      | "password_disabled"
      | "rate_limited"
      | "session_data_too_large"
      | "session_revoked"
      | "too_busy"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found";
  };
  /** Changes the password of the signed-in user, and ends all other sessions. Needs the current one, or a fresh session. */
  passwordChange: {
    input: { current_password?: undefined | string; password: string; return_to?: undefined | string };
    output: PasswordChangeAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "breach_check_unavailable"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_user_authentication"
      | "invalid_credentials"
      | "invalid_request"
      | "invalid_token"
      | "password_changed"
      | "password_disabled"
      | "rate_limited"
      | "session_not_found"
      | "session_revoked"
      | "session_rotated"
      | "too_busy"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found"
      | "weak_password";
  };
  /** Mails a link to choose a new password, if anybody has that address. */
  passwordForgot: {
    input: { email: string; return_to?: undefined | string };
    output: Message;
    code:
      | CommonCode
      | "body_too_large"
      | "cross_site_request"
      | "invalid_email"
      | "invalid_request"
      | "rate_limited"
      | "unsupported_media_type";
  };
  /** Sets a new password by the token of a mailed link, and ends all sessions. It signs nobody in. */
  passwordReset: {
    input: { token: string; password: string };
    output: Message;
    code:
      | CommonCode
      | "body_too_large"
      | "breach_check_unavailable"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "rate_limited"
      | "too_busy"
      | "unsupported_media_type"
      | "user_disabled"
      | "weak_password";
  };
  /** Mails a link to confirm an address, if anybody has it and has not done so. */
  emailConfirmSend: {
    input: { email: string; return_to?: undefined | string };
    output: Message;
    code:
      | CommonCode
      | "body_too_large"
      | "cross_site_request"
      | "invalid_email"
      | "invalid_request"
      | "rate_limited"
      | "unsupported_media_type";
  };
  /** Confirms an address, or completes its change, by the token of a mailed link. The action "disown" removes an account that somebody else made with it. */
  emailConfirm: {
    input: { token: string; action?: undefined | "confirm" | "disown" };
    output: Message;
    code:
      | CommonCode
      | "body_too_large"
      | "cross_site_request"
      | "email_confirmed"
      | "email_taken"
      | "invalid_request"
      | "invalid_token"
      | "rate_limited"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found";
  };
  /** Mails a link to a new address, which becomes the user's when it is used. Needs the password, or a fresh session. */
  emailChange: {
    input: { email: string; current_password?: undefined | string; return_to?: undefined | string };
    output: Message;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "email_taken"
      | "insufficient_user_authentication"
      | "invalid_credentials"
      | "invalid_email"
      | "invalid_request"
      | "invalid_token"
      | "password_disabled"
      | "rate_limited"
      | "session_not_found"
      | "session_revoked"
      | "too_busy"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found";
  };
  /** Makes a key; the answer is the only place that ever shows it. */
  apiKeyCreate: {
    input: { name: string; scopes?: undefined | readonly string[]; expires_in?: undefined | number | null };
    output: NewApiKey;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "credentials_ended"
      | "cross_site_request"
      | "insufficient_scope"
      | "insufficient_user_authentication"
      | "invalid_name"
      | "invalid_request"
      | "invalid_scope"
      | "invalid_token"
      | "invalid_ttl"
      | "not_a_member"
      | "session_not_found"
      | "session_revoked"
      | "too_many_api_keys"
      | "unsupported_media_type"
      | "user_disabled";
  };
  /** The user's keys, without their secrets. */
  apiKeysList: {
    input: {};
    output: ApiKeysListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked";
  };
  /** Ends a key at once. */
  apiKeyDelete: {
    input: { id: string };
    output: ApiKey;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** Makes a successor; the old key lives on for the overlap. */
  apiKeyRotate: {
    input: { id: string; overlap?: undefined | number };
    output: NewApiKey;
    code:
      | CommonCode
      | "api_key_rotated"
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "credentials_ended"
      | "cross_site_request"
      | "insufficient_user_authentication"
      | "invalid_overlap"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "session_not_found"
      | "session_revoked"
      | "too_many_api_keys"
      | "unsupported_media_type"
      | "user_disabled";
  };
  /** A new access token, and a refresh token that replaces the one presented, in the body or the cookie. */
  refresh: {
    input: { refresh_token?: undefined | string };
    output: Refreshed;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "cross_site_request"
      | "email_not_confirmed"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "rate_limited"
      | "refresh_token_reused"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type"
      | "user_disabled"
      | "user_not_found";
  };
  /** The public keys of access tokens. */
  jwksGet: {
    input: {};
    output: Jwks;
    code: CommonCode | "invalid_request" | "not_found";
  };
  /** All sessions, a page at a time, in no order. */
  adminSessionsList: {
    input: { cursor?: undefined | string; limit?: undefined | number };
    output: AdminSessionsListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked";
  };
  /** Ends a session. */
  adminSessionRevoke: {
    input: { id: string };
    output: Success;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** All users, a page at a time, in no order; not where the application keeps its users itself. */
  adminUsersList: {
    input: { cursor?: undefined | string; limit?: undefined | number };
    output: AdminUsersListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "session_not_found"
      | "session_revoked";
  };
  /** Removes a user, but not oneself, with all sessions, keys and accounts. */
  adminUserDelete: {
    input: { user_id: string };
    output: Success;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "invalid_user_id"
      | "own_user"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** Ends all sessions of a user. */
  adminUserSessionsRevoke: {
    input: { user_id: string };
    output: Success;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "invalid_user_id"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** All linked accounts, a page at a time, in no order, without tokens and passwords. */
  adminAccountsList: {
    input: { cursor?: undefined | string; limit?: undefined | number };
    output: AdminAccountsListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked";
  };
  /** Unlinks an account, but not one's own, also a user's last way in. */
  adminAccountUnlink: {
    input: { id: string };
    output: Success;
    code:
      | CommonCode
      | "account_not_found"
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "own_user"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** All API keys, a page at a time, in no order, without their secrets. */
  adminApiKeysList: {
    input: { cursor?: undefined | string; limit?: undefined | number };
    output: AdminApiKeysListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked";
  };
  /** Ends a user's key. */
  adminApiKeyRevoke: {
    input: { user_id: string; id: string };
    output: Success;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
  /** All requests for codes, a page at a time, in no order, without the codes. */
  adminCodesList: {
    input: { cursor?: undefined | string; limit?: undefined | number };
    output: AdminCodesListAnswer;
    code:
      | CommonCode
      | "authentication_required"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "session_not_found"
      | "session_revoked";
  };
  /** Ends a request for a code: the code is good no more. */
  adminCodeRevoke: {
    input: { id: string };
    output: Success;
    code:
      | CommonCode
      | "authentication_required"
      | "body_too_large"
      | "credential_not_allowed"
      | "cross_site_request"
      | "insufficient_role"
      | "insufficient_user_authentication"
      | "invalid_request"
      | "invalid_token"
      | "not_found"
      | "session_not_found"
      | "session_revoked"
      | "unsupported_media_type";
  };
}

/** Refusals that may come of any call. */
export type CommonCode = "config_error" | "host_not_served" | "internal_error" | "storage_unavailable";

export interface User {
  readonly id: string;
  readonly email: string | null;
  readonly email_confirmed_at: Instant | null;
  readonly name: string | null;
  readonly image: string | null;
  readonly created_at: Instant;
}

export interface SignedOut {
  readonly success: true;
  readonly message?: string;
  readonly expires_at?: Instant;
}

export interface GuestCreateAnswer {
  readonly guest: true;
  readonly user_id: string;
  readonly token?: string;
}

export interface TenantSelectAnswer {
  readonly tenant_id: string | null;
  readonly token?: string;
  readonly access_token?: string;
  readonly token_type?: "Bearer";
  readonly expires_in?: number;
  readonly refresh_token?: string;
}

export type SessionsListAnswer = readonly Session[];

export interface Success {
  readonly success: true;
  readonly message?: string;
}

export type ReauthenticateAnswer = SteppedUp | CodeSent | Onward;

export type ProvidersListAnswer = readonly { readonly provider: string; readonly url: string }[];

export type LoginBeginAnswer = Onward | SignedIn;

export type LoginSubmitAnswer = Onward | SignedIn;

export interface ProviderSignOutAnswer {
  readonly success: true;
  readonly message?: string;
  readonly expires_at?: Instant;
  readonly url: string | null;
}

export type AccountsListAnswer = readonly Account[];

export interface Onward {
  readonly url: string;
}

export interface FreshToken {
  readonly id: string;
  readonly provider: string;
  readonly scope: string | null;
  readonly access_token_expires_at: Instant | null;
}

export interface CodeSent {
  readonly message: string;
  readonly request_id?: string;
}

export interface SignedIn {
  readonly user: User | BareUser;
  readonly session: Session;
  readonly token?: string;
  readonly access_token?: string;
  readonly token_type?: "Bearer";
  readonly expires_in?: number;
  readonly refresh_token?: string;
}

export type SignUpAnswer = SignedIn | Message;

export interface PasswordChangeAnswer {
  readonly message: string;
  readonly token?: string;
  readonly access_token?: string;
  readonly token_type?: "Bearer";
  readonly expires_in?: number;
  readonly refresh_token?: string;
}

export interface Message {
  readonly message: string;
}

export interface NewApiKey {
  readonly id: string;
  readonly name: string;
  readonly key_prefix: string;
  readonly scopes: readonly string[];
  readonly created_at: Instant;
  readonly last_used_at: Instant | null;
  readonly expires_at: Instant | null;
  readonly key: string;
}

export type ApiKeysListAnswer = readonly ApiKey[];

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly key_prefix: string;
  readonly scopes: readonly string[];
  readonly created_at: Instant;
  readonly last_used_at: Instant | null;
  readonly expires_at: Instant | null;
}

export interface Refreshed {
  readonly user: User | BareUser;
  readonly token?: string;
  readonly access_token?: string;
  readonly token_type?: "Bearer";
  readonly expires_in?: number;
  readonly refresh_token?: string;
}

export interface Jwks {
  readonly keys: readonly {
    readonly kty: string;
    readonly kid: string;
    readonly alg: string;
    readonly use: "sig";
    readonly [field: string]: unknown;
  }[];
}

export interface AdminSessionsListAnswer {
  readonly items: readonly {
    readonly id: string;
    readonly device: string | null;
    readonly ip: string | null;
    readonly methods: readonly string[];
    readonly tenant_id: string | null;
    readonly created_at: Instant;
    readonly last_seen_at: Instant;
    readonly authenticated_at: Instant;
    readonly expires_at: Instant;
    readonly user_id: string;
    readonly kind: "user" | "guest";
    readonly expired: boolean;
  }[];
  readonly next_cursor: string | null;
  readonly unreadable: number;
}

export interface AdminUsersListAnswer {
  readonly items: readonly User[];
  readonly next_cursor: string | null;
  readonly unreadable: number;
}

export interface AdminAccountsListAnswer {
  readonly items: readonly {
    readonly id: string;
    readonly provider: string;
    readonly account_id: string;
    readonly scope: string | null;
    readonly reconnect_needed: boolean;
    readonly created_at: Instant;
    readonly user_id: string;
    readonly pending: boolean;
  }[];
  readonly next_cursor: string | null;
  readonly unreadable: number;
}

export interface AdminApiKeysListAnswer {
  readonly items: readonly {
    readonly id: string;
    readonly name: string;
    readonly key_prefix: string;
    readonly scopes: readonly string[];
    readonly created_at: Instant;
    readonly last_used_at: Instant | null;
    readonly expires_at: Instant | null;
    readonly user_id: string;
  }[];
  readonly next_cursor: string | null;
  readonly unreadable: number;
}

export interface AdminCodesListAnswer {
  readonly items: readonly {
    readonly id: string;
    readonly purpose: string;
    readonly email: string;
    readonly user_id: string | null;
    readonly created_at: Instant;
    readonly expires_at: Instant;
  }[];
  readonly next_cursor: string | null;
  readonly unreadable: number;
}

export interface Session {
  readonly id: string;
  readonly current: boolean;
  readonly device: string | null;
  readonly ip: string | null;
  readonly methods: readonly string[];
  readonly tenant_id: string | null;
  readonly created_at: Instant;
  readonly last_seen_at: Instant;
  readonly authenticated_at: Instant;
  readonly expires_at: Instant;
}

export interface SteppedUp {
  readonly authenticated_at: Instant;
  readonly token?: string;
  readonly access_token?: string;
  readonly token_type?: "Bearer";
  readonly expires_in?: number;
  readonly refresh_token?: string;
}

export interface Account {
  readonly id: string;
  readonly provider: string;
  readonly account_id: string;
  readonly scope: string | null;
  readonly reconnect_needed: boolean;
  readonly created_at: Instant;
}

export interface BareUser {
  readonly id: string;
}

/** Method and path of each operation; * marks those that somebody must be signed in for. */
export const operations = {
  meGet: "GET /me *",
  signOut: "POST /sign-out",
  guestCreate: "POST /guest",
  tenantSelect: "POST /tenant *",
  sessionsList: "GET /sessions *",
  sessionsRevoke: "DELETE /sessions *",
  sessionRevoke: "DELETE /sessions/{id} *",
  reauthenticate: "POST /reauthenticate *",
  providersList: "GET /providers",
  loginBegin: "GET /login/{provider}",
  loginSubmit: "POST /login/{provider}",
  providerSignOut: "POST /sign-out/provider *",
  accountsList: "GET /accounts *",
  accountLink: "POST /accounts/{provider}/link *",
  accountRefresh: "POST /accounts/{provider}/refresh *",
  accountUnlink: "DELETE /accounts/{id} *",
  magicSend: "POST /magic/send",
  magicVerify: "POST /magic/verify",
  magicLink: "POST /magic/link",
  signUp: "POST /sign-up",
  signIn: "POST /sign-in",
  passwordChange: "POST /password/change *",
  passwordForgot: "POST /password/forgot",
  passwordReset: "POST /password/reset",
  emailConfirmSend: "POST /email/confirm/send",
  emailConfirm: "POST /email/confirm",
  emailChange: "POST /email/change *",
  apiKeyCreate: "POST /api-keys *",
  apiKeysList: "GET /api-keys *",
  apiKeyDelete: "DELETE /api-keys/{id} *",
  apiKeyRotate: "POST /api-keys/{id}/rotate *",
  refresh: "POST /refresh",
  jwksGet: "GET /.well-known/jwks.json",
  adminSessionsList: "GET /admin/sessions *",
  adminSessionRevoke: "DELETE /admin/sessions/{id} *",
  adminUsersList: "GET /admin/users *",
  adminUserDelete: "DELETE /admin/users/{user_id} *",
  adminUserSessionsRevoke: "DELETE /admin/users/{user_id}/sessions *",
  adminAccountsList: "GET /admin/accounts *",
  adminAccountUnlink: "DELETE /admin/accounts/{id} *",
  adminApiKeysList: "GET /admin/api-keys *",
  adminApiKeyRevoke: "DELETE /admin/users/{user_id}/api-keys/{id} *",
  adminCodesList: "GET /admin/codes *",
  adminCodeRevoke: "DELETE /admin/codes/{id} *",
} as const satisfies Record<keyof Operations, string>;
