import { memoryStore } from "../../lib/adapters/memory/index.ts";
import { oauthFlows } from "../support/oauth-flows.ts";

oauthFlows("memory", (clock) => memoryStore({ clock }));
