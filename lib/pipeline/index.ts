export { assign, refuseFailure, tellOutcome, type AssignNames, type TokenOutcome } from "./acting-steps.ts";
export {
  checkClaims,
  claim,
  claimEquals,
  claimHasAll,
  claimHasAny,
  claimIn,
  verifyExpiry,
  verifyNotBefore,
  type ClaimValue,
  type LeewayOptions,
} from "./claim-steps.ts";
export type { Generations } from "../core/refresh-token-text.ts";
export { checkSession, loadSession, verifyFresh, type VerifyFreshOptions } from "./session-steps.ts";
export { failed, type Needs, type PipelineAuth, type Step, type TokenState } from "./step.ts";
export { accessPipeline, accessSteps, sessionPipeline, sessionSteps, tokenPipeline, type AccessStepsOptions } from "./token-pipeline.ts";
export { tokenFromCookie, tokenFromHeader, verifySignature } from "./token-steps.ts";
