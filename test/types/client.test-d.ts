// What a caller may rely on. Checked by the compiler alone, never run.
import { createClient, type ClientError, type NewApiKey, type SignedIn, type User } from "latchkey/client";

const client = createClient({ baseUrl: "https://app.example.com/auth" });

export async function results(): Promise<unknown> {
  const me = await client.meGet();
  // @ts-expect-error there may be none
  const uncertain: User = me.data;
  if (me.data) {
    const user: User = me.data;
    const none: undefined = me.error;
    return [user, none, uncertain];
  }

  const { data, error } = await client.signIn({ email: "a@example.com", password: "p" });
  if (error) {
    const seconds: number | null = error.retryAfter;
    if (error.code === "invalid_credentials" || error.code === "storage_unavailable" || error.code === "network_error") return seconds;
    // @ts-expect-error no such code
    return error.code === "invalid_credential";
  }
  const signedIn: SignedIn = data;

  const made = await client.apiKeyCreate({ name: "ci", scopes: ["read"] });
  const key: NewApiKey | undefined = made.data;
  const refused: ClientError | undefined = made.error;
  return [signedIn, key, refused];
}

export const inputs = [
  // @ts-expect-error a password is missing
  () => client.signIn({ email: "a@example.com" }),
  // @ts-expect-error no such field
  () => client.signIn({ email: "a@example.com", password: "p", remember: true }),
  // @ts-expect-error no such transport
  () => client.signIn({ email: "a@example.com", password: "p", transport: "pigeon" }),
  // @ts-expect-error it takes an id
  () => client.apiKeyDelete(),
  () => client.apiKeyDelete({ id: "key" }, { signal: new AbortController().signal }),
  // @ts-expect-error no such operation
  () => client.signin({}),
];
