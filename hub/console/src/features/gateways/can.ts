// What a gateway's state and a person's role permit.
import type { Gateway, Session } from "../../api/types";
import { atLeast, type May } from "../../parts/session";

export const enrol = (session: Session | undefined): May => atLeast(session, "engineer");
export const change = (session: Session | undefined): May => atLeast(session, "engineer");

/** A revoked gateway comes back by a new code, too. */
export const newCode = (session: Session | undefined): May => atLeast(session, "engineer");

export const discard = (session: Session | undefined): May => atLeast(session, "engineer");

export function remove(session: Session | undefined, gateway: Gateway): May {
  if (gateway.enrolled_at || gateway.state !== "pending")
    return { allowed: false, why: "gateway.why.enrolled" };
  return atLeast(session, "engineer");
}

export function revoke(session: Session | undefined, gateway: Gateway): May {
  if (gateway.state === "revoked") return { allowed: false, why: "gateway.why.revoked" };
  return atLeast(session, "admin");
}
