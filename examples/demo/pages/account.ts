import type { Request } from "express";
import type { Accounts, ApiKey, Session } from "latchkey";
import { html, type Html } from "../html.ts";
import { layout } from "./layout.ts";
import { message } from "./messages.ts";
import { time } from "./time.ts";
import { nameOf, whoIsIn } from "./who-is-in.ts";

type Account = Awaited<ReturnType<Accounts["listForUser"]>>[number];

export interface AccountPage {
  user: Request["user"];
  /** The one that asks. */
  session: Session;
  sessions: readonly Session[];
  accounts: readonly Account[];
  keys: readonly ApiKey[];
  query: Request["query"];
}

/** Everything a person has: who they are, where they are signed in, what is linked, what keys there are. */
export function accountPage({ user, session, sessions, accounts, keys, query }: AccountPage): Html {
  return layout({
    title: "Your account",
    width: "wide",
    aside: whoIsIn(user),
    main: html`
      <h1>Hello, ${nameOf(user)}</h1>
      ${message(query)} ${profile(user, session)} ${sessionList(sessions, session)} ${accountList(accounts)} ${keyList(keys)}
    `,
  });
}

function profile(user: Request["user"], session: Session): Html {
  return card({
    id: "you",
    title: "You",
    call: "req.auth, req.user",
    body: html`<dl>
      <div>
        <dt>Email</dt>
        <dd>${user?.email ?? "none"}${user?.emailVerified && html` <span class="badge">proven</span>`}</dd>
      </div>
      <div>
        <dt>Signed in</dt>
        <dd>by ${session.methods.map(methodName).join(" and ")}, ${time(session.authenticatedAt)}</dd>
      </div>
      <div>
        <dt>User id</dt>
        <dd><code>${session.userId}</code></dd>
      </div>
    </dl>`,
  });
}

function sessionList(sessions: readonly Session[], current: Session): Html {
  const others = sessions.filter(({ id }) => id !== current.id);
  return card({
    id: "sessions",
    title: "Where you are signed in",
    call: "auth.sessions",
    body: html`<ul class="list">
        ${sessionItem(current, true)} ${others.map((session) => sessionItem(session, false))}
      </ul>
      ${
        others.length > 0 &&
        html`<form method="post" action="/sessions/end-others"><button class="danger">Sign out everywhere else</button></form>`
      }`,
  });
}

function sessionItem({ id, device, lastSeenAt, createdAt }: Session, isCurrent: boolean): Html {
  const label = device?.label ?? "Unknown device";
  return html`<li>
    <div>
      <strong>${label}</strong> ${isCurrent && html`<span class="badge">this device</span>`}
      <p class="detail">${device?.ip ?? "unknown address"}, last seen ${time(lastSeenAt)}, signed in ${time(createdAt)}</p>
    </div>
    ${
      !isCurrent &&
      html`<form method="post" action="/sessions/${id}/end">
        <button class="small danger">Sign out <span class="unseen">${label}</span></button>
      </form>`
    }
  </li>`;
}

function accountList(accounts: readonly Account[]): Html {
  return card({
    id: "accounts",
    title: "Linked accounts",
    call: "auth.accounts",
    body:
      accounts.length > 0
        ? html`<ul class="list">
            ${accounts.map(accountItem)}
          </ul>`
        : html`<p class="detail">None yet. Link your Demo ID, and it opens this account too.</p>
            <form method="post" action="/auth/accounts/demo-id/link">
              <input type="hidden" name="return_to" value="/?done=linked" />
              <input type="hidden" name="error_to" value="/confirm" />
              <button><img src="/provider.svg" alt="" width="22" height="22" /> Link your Demo ID</button>
            </form>`,
  });
}

function accountItem({ id, providerId, accountId, createdAt }: Account): Html {
  return html`<li>
    <div>
      <strong>${methodName(providerId)}</strong>
      <p class="detail">as ${accountId}, linked ${time(createdAt)}</p>
    </div>
    <form method="post" action="/accounts/${id}/unlink">
      <button class="small danger">Unlink <span class="unseen">${methodName(providerId)}</span></button>
    </form>
  </li>`;
}

function keyList(keys: readonly ApiKey[]): Html {
  return card({
    id: "keys",
    title: "API keys",
    call: "auth.apiKeys",
    body: html`<p class="detail">A key opens <code>GET /api/hello</code> for a program, as you, for thirty days.</p>
      ${
        keys.length > 0 &&
        html`<ul class="list">
          ${keys.map(keyItem)}
        </ul>`
      }
      <form method="post" action="/keys" class="row">
        <div>
          <label for="name">Name of a new key</label>
          <input id="name" name="name" maxlength="100" placeholder="nightly report" autocomplete="off" required />
        </div>
        <button>Create key</button>
      </form>`,
  });
}

function keyItem({ id, name, keyPrefix, createdAt, lastUsedAt, expiresAt }: ApiKey): Html {
  return html`<li>
    <div>
      <strong>${name}</strong> <code>${keyPrefix}…</code>
      <p class="detail">
        made ${time(createdAt)},
        ${lastUsedAt === null ? "not used yet" : html`used ${time(lastUsedAt)}`}${expiresAt !== null && html`, ends ${time(expiresAt)}`}
      </p>
    </div>
    <form method="post" action="/keys/${id}/revoke">
      <button class="small danger">Revoke <span class="unseen">${name}</span></button>
    </form>
  </li>`;
}

/** A part of the page. `call` tells developers what it is made with. */
function card({ id, title, call, body }: { id: string; title: string; call: string; body: Html }): Html {
  return html`<section class="card" id="${id}" aria-labelledby="${id}-title">
    <div class="head">
      <h2 id="${id}-title">${title}</h2>
      <code class="call">${call}</code>
    </div>
    ${body}
  </section>`;
}

const METHODS: Readonly<Record<string, string>> = { "demo-id": "Demo ID", magic_code: "mailed code" };

function methodName(method: string): string {
  return METHODS[method] ?? method;
}
