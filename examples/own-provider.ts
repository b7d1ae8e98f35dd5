import express from "express";
import { createAuth, requireAuth } from "latchkey";
import { oauth2 } from "latchkey/strategies/oauth2";

interface GiteaUser {
  id: number;
  login: string;
  avatar_url: string;
}
interface GiteaEmail {
  email: string;
  verified: boolean;
  primary: boolean;
}

const server = process.env.GITEA_URL ?? "https://gitea.com";
const gitea = oauth2<GiteaUser>(
  {
    name: "gitea",
    authorizationEndpoint: `${server}/login/oauth/authorize`,
    tokenEndpoint: `${server}/login/oauth/access_token`,
    userinfoEndpoint: `${server}/api/v1/user`,
    scope: ["read:user"],
    async profile({ id, login, avatar_url }, get) {
      const emails = await get<GiteaEmail[]>(`${server}/api/v1/user/emails`);
      const email = emails.find(({ primary }) => primary);
      return { subject: id, name: login, image: avatar_url, email: email?.email, emailVerified: email?.verified };
    },
  },
  { clientId: process.env.GITEA_CLIENT_ID ?? "my-app", clientSecret: process.env.GITEA_CLIENT_SECRET ?? "secret" },
);

const app = express();
app.use(createAuth({ secret: process.env.AUTH_SECRET, strategies: [gitea] }));
app.get("/", (_req, res) => res.send(`<a href="/auth/login/gitea">Sign in with Gitea</a>`));
app.get("/me", requireAuth({ user: true }), (req, res) => res.json({ email: req.user?.email }));
app.listen(3000);
